"""Export: write every resource and subscription into an archive, while the server runs.

Each document is as it was at one moment; those of a collection are ordered by id, which is their
age where the server made the ids. The event log, delivery cursors and received events are left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.contract import Contract
from app.maintenance.archive import ArchiveError, ArchiveReader, ArchiveWriter, Entry, opened
from storage import Comparison, Document, Operator, Query, SortKey, Store, Window

_PAGE = 500
_BY_ID = (SortKey(("id",)),)


@dataclass(frozen=True, slots=True)
class Exported:
    """The number of documents in an archive, and of those that an earlier attempt wrote."""

    documents: int
    resumed: int


def exported_collections(contracts: Sequence[Contract]) -> tuple[str, ...]:
    """Return the collections of the contracts that hold resources and subscriptions."""
    found = {
        binding.definition.collection: None
        for contract in contracts
        for binding in contract.bindings
        if binding.definition is not None
    }
    return tuple(found)


def export(
    contracts: Sequence[Contract],
    store: Store,
    path: Path | None,
    collections: Sequence[str],
    progress: Callable[[], object] = lambda: None,
) -> Exported:
    """Write an archive; the file gets its name when it is complete.

    Until then it is named `….part`. An export that finds such a file, left by an attempt that was
    killed, continues behind its last document.
    """
    names = [f"{contract.title} {contract.version}" for contract in contracts]
    if path is None:
        with opened(None, "wb") as out:
            writer = ArchiveWriter(out, contracts=names)
            _write(writer, store, collections, None, progress)
            writer.finish()
            return Exported(writer.documents, 0)
    part, earlier = _beside(path, "part"), _beside(path, "earlier")
    if part.exists():
        part.replace(earlier)
    resumed, last = 0, None
    with opened(part, "wb") as out:
        writer = ArchiveWriter(out, contracts=names)
        for last in _written(earlier, collections):
            writer.add(last.collection, last.document)
            progress()
        resumed = writer.documents
        _write(writer, store, collections, last, progress)
        writer.finish()
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    earlier.unlink(missing_ok=True)
    return Exported(writer.documents, resumed)


def _beside(path: Path, word: str) -> Path:
    return path.with_name(f"{path.name}.{word}")


def _written(earlier: Path, collections: Sequence[str]) -> Iterator[Entry]:
    """Yield the documents that an earlier attempt at the same export wrote."""
    if not earlier.exists():
        return
    with opened(earlier, "rb") as file:
        try:
            for entry in ArchiveReader(file).entries():
                if entry.collection not in collections:
                    return
                yield entry
        except ArchiveError:
            return


def _write(
    writer: ArchiveWriter,
    store: Store,
    collections: Sequence[str],
    last: Entry | None,
    progress: Callable[[], object],
) -> None:
    begin = collections.index(last.collection) if last else 0
    for collection in collections[begin:]:
        behind = last.document.id if last and collection == last.collection else None
        for document in _documents(store, collection, behind):
            writer.add(collection, document)
            progress()


def _documents(store: Store, collection: str, behind: str | None) -> Iterator[Document]:
    where = None if behind is None else Comparison(("id",), Operator.GT, behind)
    after = None
    while True:
        query = Query(where, _BY_ID, Window(0, _PAGE), after=after, count=False)
        page = store.find(collection, query)
        yield from page.documents
        if page.end is None:
            return
        after = page.end
