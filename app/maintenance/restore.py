"""Restore: insert the documents of an archive into a store, each validated by its contract first.

Versions start again at 1; entity tags hold a digest of the content as well, so an old tag does not
match a changed document. A restore causes no events. Documents that exist with the same content are
skipped, so a restore that was killed can be started again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeAlias

from app.contract import Contract, Kind
from app.events.outbound.delivery_cursors import open_cursor
from app.events.outbound.subscriptions import cursor_name
from app.maintenance.archive import Entry
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.errors import BadCallback, InvalidResource
from app.tmf630.representation import decode
from storage import Document, Store, UpdateContended, Write, update

_BATCH = 200
_KINDS = (Kind.LIST, Kind.CREATE, Kind.RETRIEVE, Kind.SUBSCRIBE)

Result: TypeAlias = Literal["added", "replaced", "skipped", "already"]
OnConflict: TypeAlias = Literal["skip", "replace", "fail"]


class RestoreConflict(Exception):
    """Another document of this id exists, and the restore stops on conflicts."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A document that was not restored: its place in the archive, and the rules it breaks."""

    line: int
    collection: str
    id: str
    rules: tuple[str, ...]


@dataclass(slots=True)
class Restored:
    """The number of documents by result, and those that were rejected."""

    added: int = 0
    replaced: int = 0
    skipped: int = 0
    already: int = 0
    subscriptions: int = 0
    rejects: list[Reject] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    definition: ResourceDefinition
    hub: bool


def restore(
    contracts: Sequence[Contract],
    store: Store,
    entries: Iterable[Entry],
    *,
    on_conflict: OnConflict = "fail",
    dry_run: bool = False,
    subscriptions: bool = False,
    check_callback: Callable[[str], None] = lambda url: None,
    progress: Callable[[], object] = lambda: None,
) -> Restored:
    """Restore the documents of an archive.

    Event subscriptions are left out, so that a copy does not call the listeners of the original.
    With `subscriptions` they are restored suspended. `check_callback` raises `BadCallback` for a
    URL that events may not be sent to.

    Raises:
        ArchiveError: the archive is damaged; documents before the damage may be restored.
        RestoreConflict: `on_conflict` is `fail`, and another document of the same id exists.
    """
    places = _places(contracts)
    found, left = Restored(), iter(entries)
    while batch := list(islice(left, _BATCH)):
        wanted: list[tuple[_Place, Entry]] = []
        for entry in batch:
            place = _place_of(places, entry)
            if place is not None and place.hub and not subscriptions:
                found.subscriptions += 1
                continue
            rules = _broken(place, entry, check_callback)
            if place is None or rules:
                document = entry.document
                found.rejects.append(Reject(entry.line, entry.collection, document.id, rules))
            elif dry_run:
                found.added += 1
            else:
                wanted.append((place, entry))
        with store.batch():
            for place, entry in _left_after_inserting(store, wanted, found):
                _put(place, store, entry, on_conflict, found)
        for _ in batch:
            progress()
    return found


def _left_after_inserting(
    store: Store, wanted: Iterable[tuple[_Place, Entry]], found: Restored
) -> list[tuple[_Place, Entry]]:
    """Insert documents; return those whose ids are taken, and subscriptions, which take more."""
    left: list[tuple[_Place, Entry]] = []
    collections: dict[str, list[tuple[_Place, Entry]]] = {}
    for place, entry in wanted:
        if place.hub:
            left.append((place, entry))
        else:
            collections.setdefault(entry.collection, []).append((place, entry))
    for collection, members in collections.items():
        added = store.insert_many(collection, [entry.document for _, entry in members])
        found.added += sum(added)
        left += [each for each, done in zip(members, added, strict=True) if not done]
    return left


def _places(contracts: Sequence[Contract]) -> dict[str, dict[str, _Place]]:
    """Return the collections of the contracts, each by the versions that share it."""
    found: dict[str, dict[str, _Place]] = {}
    for contract in contracts:
        for binding in contract.bindings:
            definition = binding.definition
            if definition is not None and binding.kind in _KINDS:
                place = _Place(definition, binding.kind is Kind.SUBSCRIBE)
                found.setdefault(definition.collection, {})[definition.forms.name] = place
    return found


def _place_of(places: dict[str, dict[str, _Place]], entry: Entry) -> _Place | None:
    """Return the place of a document: by the contract of its own version, if that is served."""
    shared = places.get(entry.collection)
    if shared is None:
        return None
    own = entry.document.form.partition("+")[0]
    return shared.get(own) or next(iter(shared.values()))


def _broken(
    place: _Place | None, entry: Entry, check_callback: Callable[[str], None]
) -> tuple[str, ...]:
    """Return the rules that a document breaks."""
    if place is None:
        return (f"no contract that is served keeps {entry.collection}",)
    try:
        resource = decode(place.definition, entry.document)
        place.definition.check(resource, {})
        if place.hub:
            place.definition.check(resource)
            check_callback(resource["callback"])
    except InvalidResource as error:
        return error.rules
    except BadCallback as error:
        return (f"/callback {error}",)
    return ()


def _put(
    place: _Place, store: Store, entry: Entry, on_conflict: OnConflict, found: Restored
) -> None:
    document = entry.document
    wanted = Write(document.content, document.form)
    result: Result = "added"

    def decide(there: Document | None) -> Write | None:
        nonlocal result
        if there is None:
            if place.hub:
                open_cursor(
                    store,
                    cursor_name(place.definition, document.id),
                    store.last_event(),
                    suspended="restored from an archive",
                )
            result = "added"
            return wanted
        if (there.content, there.form) == (document.content, document.form):
            result = "already"
            return None
        if on_conflict == "fail":
            raise RestoreConflict(
                f"line {entry.line}: {entry.collection} has another {document.id}"
            )
        result = "skipped" if on_conflict == "skip" else "replaced"
        return None if on_conflict == "skip" else wanted

    try:
        update(store, entry.collection, document.id, decide)
    except UpdateContended:
        raise RestoreConflict(f"line {entry.line}: {document.id} kept changing") from None
    match result:
        case "added":
            found.added += 1
        case "replaced":
            found.replaced += 1
        case "skipped":
            found.skipped += 1
        case "already":
            found.already += 1
