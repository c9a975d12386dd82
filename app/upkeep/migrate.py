"""Migrate: bring stored documents into the form of a contract, in batches, safe to interrupt.

What a document was is copied beside its collection before the document is replaced, version
checked, so that a migration that was killed goes on where it stopped and a server may write
meanwhile. The copies stay until the migration is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from app.contract import Contract
from app.upkeep.check import Finding
from app.upkeep.collections import Source, plain, sources_of
from handlers.definition import ResourceDefinition
from handlers.errors import InvalidResource
from handlers.representation import decode, encode_change
from storage import Document, DocumentExists, DocumentNotFound, Store, VersionConflict, json

_BATCH = 200
_ATTEMPTS = 20


@dataclass(slots=True)
class Migration:
    """What became of the documents of one collection."""

    collection: str
    migrated: int = 0
    already: int = 0
    rejected: dict[str, Finding] = field(default_factory=dict)
    aside: dict[str, Finding] = field(default_factory=dict)


def migrate(
    contract: Contract,
    store: Store,
    *,
    dry_run: bool = False,
    progress: Callable[[], object] = lambda: None,
) -> list[Migration]:
    """Migrate every document that is not in the contract's form; a dry run only says what it would.

    A document whose translation would break the contract is left as it is and reported.
    """
    found = []
    for source in sources_of(contract):
        if not dry_run:
            store.prepare(_copies(source), ())
            store.prepare(source.definition.collection, source.definition.indexes)
        migration = Migration(source.collection)
        documents = source.documents(store)
        while batch := list(islice(documents, _BATCH)):
            with store.batch():
                for document in batch:
                    _migrate(source, document, store, migration, dry_run=dry_run)
                    progress()
        if migration.migrated or migration.already or migration.rejected:
            found.append(migration)
    return found


def commit_migration(
    contract: Contract, store: Store, progress: Callable[[], object] = lambda: None
) -> int:
    """Remove the copies of what was before; return how many there were.

    Of a version that keeps its documents apart, the documents that were migrated go.
    """
    removed = 0
    for source in sources_of(contract):
        if source.foreign:
            leftovers = (each for each in source.documents(store) if _arrived(source, each, store))
            removed += _remove(source.collection, leftovers, store, progress)
        else:
            copies = Source(source.definition, _copies(source))
            removed += _remove(copies.collection, copies.documents(store), store, progress)
    return removed


def _migrate(
    source: Source, document: Document, store: Store, migration: Migration, *, dry_run: bool
) -> None:
    definition = source.definition
    for _ in range(_ATTEMPTS):
        own = document.form.partition("+")[0] == definition.forms.name
        if own and not source.foreign:
            migration.already += 1
            return
        try:
            content, form = _translated(source, document, migration)
        except InvalidResource as error:
            for rule in error.rules:
                migration.rejected.setdefault(rule, Finding()).add(document.id)
            return
        if dry_run:
            migration.migrated += 1
            return
        try:
            migration.migrated += _write(source, document, content, form, store)
            return
        except DocumentNotFound:
            return  # somebody has deleted it meanwhile
        except VersionConflict:
            document = store.get(source.collection, document.id)


def _translated(source: Source, stored: Document, migration: Migration) -> tuple[bytes, str]:
    definition = source.definition
    document = plain(definition, stored, source)
    resource = decode(definition, document)
    definition.check(resource, {})
    if document.form != definition.forms.name:
        original = json.loads(document.content)
        kept = definition.forms.kept(original, document.form, resource, resource)
        for name in {name for form in kept.values() for name in form}:
            migration.aside.setdefault(name, Finding()).add(document.id)
    return encode_change(definition, document, resource, resource)


def _write(source: Source, document: Document, content: bytes, form: str, store: Store) -> int:
    """Write the translation of a document; return 1 when it was not there before."""
    target = source.definition.collection
    if source.foreign:
        try:
            store.insert(target, document.id, content, form=form)
        except DocumentExists:
            return 0
        return 1
    _copy(source, document, store)
    store.replace(target, document.id, content, version=document.version, form=form)
    return 1


def _copy(source: Source, document: Document, store: Store) -> None:
    """Keep what the document is now; a copy from an attempt that came to nothing is replaced."""
    copies = _copies(source)
    try:
        store.insert(copies, document.id, document.content, form=document.form)
    except DocumentExists:
        earlier = store.get(copies, document.id)
        store.replace(
            copies, document.id, document.content, version=earlier.version, form=document.form
        )


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
                store.delete(collection, document.id, version=document.version)
                removed += 1
                progress()
    return removed
