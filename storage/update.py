"""Optimistic concurrency: read a document, decide, write if it is unchanged, else start again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from storage.errors import DocumentExists, DocumentNotFound, UpdateContended, VersionConflict
from storage.port import Document, Documents

ATTEMPTS = 50
"""How often one update is tried; each failed attempt means that another writer succeeded."""


@dataclass(frozen=True, slots=True)
class Write:
    """Insert the document, or replace the present one."""

    content: bytes
    form: str = ""
    events: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the present document; does nothing when there is none."""

    events: Sequence[bytes] = ()


Change: TypeAlias = Write | Delete | None
"""What to do with a document; None leaves it as it is."""


def update(
    store: Documents,
    collection: str,
    id: str,
    decide: Callable[[Document | None], Change],
    *,
    attempts: int = ATTEMPTS,
) -> Document | None:
    """Apply to a document what `decide` makes of its present state; return what is stored then.

    `decide` receives the document, or None when there is none, and is called again with the newer
    state whenever another writer came between reading and writing. Its exceptions end the update.
    The result is None when the document does not exist afterwards.

    Raises:
        UpdateContended: other writers came first so many times.
    """
    for _ in range(attempts):
        present = find_document(store, collection, id)
        change = decide(present)
        try:
            match change:
                case None:
                    return present
                case Write(content, form, events):
                    if present is None:
                        return store.insert(collection, id, content, form=form, events=events)
                    return store.replace(
                        collection, id, content, version=present.version, form=form, events=events
                    )
                case Delete(events):
                    if present is not None:
                        store.delete(collection, id, version=present.version, events=events)
                    return None
        except (VersionConflict, DocumentExists, DocumentNotFound):
            continue
    raise UpdateContended(collection, id)


def put(store: Documents, collection: str, id: str, content: bytes, *, form: str = "") -> Document:
    """Store a document, in place of the present one if there is one.

    Raises:
        UpdateContended: see `update`.
    """
    written = update(store, collection, id, lambda _: Write(content, form))
    assert written is not None  # noqa: S101 - `update` returns what it wrote
    return written


def remove(store: Documents, collection: str, id: str) -> None:
    """Delete a document, if there is one, whatever its version.

    Raises:
        UpdateContended: see `update`.
    """
    update(store, collection, id, lambda _: Delete())


def find_document(store: Documents, collection: str, id: str) -> Document | None:
    """Return the document; None when there is none."""
    try:
        return store.get(collection, id)
    except DocumentNotFound:
        return None
