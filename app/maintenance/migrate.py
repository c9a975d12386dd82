"""Migrate: rewrite stored documents for a contract, in batches, safe to interrupt.

A document is copied into a collection beside its own before it is replaced, and it is replaced only
in the version that was read: a migration that was killed continues where it stopped, and servers
may write meanwhile. The copies stay until the migration is committed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from app.contract import Contract
from app.maintenance.check import Finding
from app.maintenance.collections import Source, plain, sources_of
from app.maintenance.embedded import Elsewhere, check_move, move
from app.tmf630 import literals
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.errors import InvalidResource
from app.tmf630.representation import KEPT, decode, encode_change
from storage import (
    INSTANT,
    Document,
    DocumentNotFound,
    Path,
    Store,
    UpdateContended,
    VersionConflict,
    Write,
    json,
    put,
    update,
)

_BATCH = 200

_HIDDEN_DATE = re.compile(rb'"\d{4}-\d\d-\d\d(?:t|T\d\d:\d\d:(?:60|[\d.]+z))')
"""A date-time in lower case or with a leap second, as earlier releases accepted them."""


@dataclass(slots=True)
class Migration:
    """The result of a migration for one collection.

    `already` documents needed no change. `rejected` and `aside` group documents as `Findings` does.
    """

    collection: str
    migrated: int = 0
    already: int = 0
    rejected: dict[str, Finding] = field(default_factory=dict)
    aside: dict[str, Finding] = field(default_factory=dict)

    def add(self, translation: _Translation, *, written: bool = False) -> None:
        """Count the result for one document."""
        id = translation.document.id
        for rule in translation.rules:
            self.rejected.setdefault(rule, Finding()).add(id)
        if translation.content is None:
            self.already += not translation.rules
        elif written:
            self.migrated += 1
            for name in translation.aside:
                self.aside.setdefault(name, Finding()).add(id)


@dataclass(frozen=True, slots=True)
class _Translation:
    """The migrated form of a document; `aside` names attributes that only its old form can hold.

    `content` is None when the document needs no change, or when the result would break `rules`.
    """

    document: Document
    content: bytes | None = None
    form: str = ""
    rules: tuple[str, ...] = ()
    aside: frozenset[str] = frozenset()


def migrate(
    contract: Contract,
    store: Store,
    *,
    dry_run: bool = False,
    progress: Callable[[], object] = lambda: None,
    other_names: Sequence[str] = (),
) -> list[Migration]:
    """Migrate every document that was stored for another version; a dry run changes nothing.

    A document whose migrated form would break the contract stays as it is and is reported. A batch
    is translated before it is written, so that it holds the store for a short time; a document that
    changed in between is translated again. `other_names` are what the API was called when documents
    were stored; see `sources_of`.
    """
    found = []
    sources = sources_of(contract, other_names)
    for source in sources:
        if not dry_run:
            store.prepare(_copies(source), ())
            store.prepare(source.definition.collection, source.definition.indexes)
        migration = Migration(source.collection)
        documents = source.documents(store)
        if source.definition.embedded_in is not None:
            elsewhere = partial(_to_be_moved, sources, store) if dry_run else None
            _move(source, documents, store, migration, progress, elsewhere)
        while batch := list(islice(documents, _BATCH)):
            translations = [_translated(source, each) for each in batch]
            if dry_run:
                for translation in translations:
                    migration.add(translation, written=True)
                    progress()
                continue
            with store.batch():
                if source.foreign:
                    _insert(source, translations, store, migration)
                else:
                    for translation in translations:
                        _write(source, translation, store, migration)
            for _ in batch:
                progress()
        if migration.migrated or migration.already or migration.rejected:
            found.append(migration)
    return found


def _move(
    source: Source,
    documents: Iterable[Document],
    store: Store,
    migration: Migration,
    progress: Callable[[], object],
    elsewhere: Elsewhere | None,
) -> None:
    """Move embedded resources that are documents of their own into their parents.

    With `elsewhere`, which finds parents that would be moved before, see whether they can be.
    """
    for stored in documents:
        document = plain(source.definition, stored, source)
        try:
            if elsewhere is None:
                move(source, document, store, _copies(source))
            else:
                check_move(source, document, store, elsewhere)
            migration.migrated += 1
        except InvalidResource as error:
            for rule in error.rules:
                migration.rejected.setdefault(rule, Finding()).add(stored.id)
        progress()


def _to_be_moved(
    sources: Sequence[Source], store: Store, definition: ResourceDefinition, key: str
) -> Document | None:
    """Return a resource as a run would have moved it; None where it would not."""
    for source in sources:
        wanted = source.foreign or definition.embedded_in is not None
        if not wanted or source.definition.collection != definition.collection:
            continue
        try:
            stored = store.get(source.collection, key)
        except DocumentNotFound:
            continue
        if definition.embedded_in is not None:
            return plain(definition, stored, source)
        moved = _translated(source, stored)
        return Document(key, 1, moved.content, moved.form) if moved.content else None
    return None


def commit_migration(
    contract: Contract,
    store: Store,
    progress: Callable[[], object] = lambda: None,
    *,
    other_names: Sequence[str] = (),
) -> int:
    """Remove the copies of the documents before their migration; return the number removed.

    Where the old version has a collection of its own, its migrated documents are removed.
    """
    removed = 0
    for source in sources_of(contract, other_names):
        if source.foreign and source.definition.embedded_in is None:
            leftovers = (each for each in source.documents(store) if _arrived(source, each, store))
            removed += _remove(source.collection, leftovers, store, progress)
        else:
            copies = Source(source.definition, _copies(source))
            removed += _remove(copies.collection, copies.documents(store), store, progress)
    return removed


def _translated(source: Source, stored: Document) -> _Translation:
    """Return the migrated form of a document."""
    definition = source.definition
    same_form = stored.form.partition("+")[0] == definition.forms.name and not source.foreign
    hidden_dates = _HIDDEN_DATE.search(stored.content) is not None
    if same_form and not hidden_dates:
        return _Translation(stored)
    document = plain(definition, stored, source)
    before = resource = decode(definition, document)
    if hidden_dates:
        resource = _with_found_dates(definition, (), resource)
        if same_form and resource == before:
            return _Translation(stored)
    if not same_form:
        try:
            definition.check(resource, {})
        except InvalidResource as error:
            return _Translation(stored, rules=error.rules)
    content, form = encode_change(definition, document, before, resource)
    kept = json.loads(content)[KEPT] if form != definition.forms.name else {}
    aside = frozenset(name for attributes in kept.values() for name in attributes)
    return _Translation(stored, content, form, aside=aside)


def _with_found_dates(definition: ResourceDefinition, path: Path, value: Any) -> Any:
    """Return a value whose date-times are in the form that filters and sorting find."""
    if isinstance(value, dict):
        return {
            name: _with_found_dates(definition, (*path, name), inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_found_dates(definition, path, each) for each in value]
    hidden = isinstance(value, str) and not INSTANT.fullmatch(value)
    if not hidden or definition.attributes.type_of(path) != "date-time":
        return value
    instant = literals.instant(value)
    return value if instant is None else instant.isoformat().replace("+00:00", "Z")


def _write(source: Source, translation: _Translation, store: Store, migration: Migration) -> None:
    """Write a translation; the document is translated again whenever it has changed meanwhile."""
    id, target = translation.document.id, source.definition.collection

    def decide(present: Document | None) -> Write | None:
        nonlocal translation
        if present is None:
            return None
        if present.version != translation.document.version:
            translation = _translated(source, present)
        if translation.content is None:
            return None
        put(store, _copies(source), id, present.content, form=present.form)
        return Write(translation.content, translation.form)

    try:
        if update(store, target, id, decide) is not None:
            migration.add(translation, written=translation.content is not None)
    except UpdateContended:
        migration.rejected.setdefault("kept changing", Finding()).add(id)


def _insert(
    source: Source, translations: Iterable[_Translation], store: Store, migration: Migration
) -> None:
    """Insert the translations of documents from another collection, except those that are there."""
    wanted: list[tuple[_Translation, Document]] = []
    for each in translations:
        if each.content is None:
            migration.add(each, written=False)
        else:
            wanted.append((each, Document(each.document.id, 1, each.content, each.form)))
    added = store.insert_many(source.definition.collection, [document for _, document in wanted])
    for (translation, _), written in zip(wanted, added, strict=True):
        migration.add(translation, written=written)


def _copies(source: Source) -> str:
    return f"{source.collection}@before"


def _arrived(source: Source, document: Document, store: Store) -> bool:
    definition: ResourceDefinition = source.definition
    try:
        store.get(definition.collection, document.id)
    except DocumentNotFound:
        return False
    return True


def _remove(
    collection: str, documents: Iterable[Document], store: Store, progress: Callable[[], object]
) -> int:
    removed = 0
    found = iter(documents)
    while batch := list(islice(found, _BATCH)):
        with store.batch():
            for document in batch:
                try:
                    store.delete(collection, document.id, version=document.version)
                    removed += 1
                except (VersionConflict, DocumentNotFound):
                    pass  # changed or deleted meanwhile
                progress()
    return removed
