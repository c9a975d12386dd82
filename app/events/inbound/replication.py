"""Applying the events of other systems: a local copy follows what they tell.

Events may come late, twice, or side by side. What was told last, by the event's own time, wins;
nothing older is ever put over it. The time of the last event that counted is kept beside the copy,
and is claimed before the copy is touched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app.tmf630 import outbox
from app.tmf630.definitions import Change, Resource, ResourceDefinition
from app.tmf630.errors import InvalidResource
from app.tmf630.json_equality import same
from app.tmf630.lifecycle import fill, now
from app.tmf630.outbox import EventOrigin
from app.tmf630.representation import decode, encode, encode_change
from storage import (
    Document,
    DocumentExists,
    DocumentNotFound,
    Store,
    UpdateContended,
    VersionConflict,
    Write,
    json,
    update,
)

_ATTEMPTS = 50
_FUTURE_MICROSECONDS = 300 * 1_000_000
"""How far an event's time may be ahead of this server's clock."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReplicationRule:
    """How the events of one kind change a collection.

    `payload` is the attribute of `event` that holds what the event is about; `local` makes of it
    the attributes, the id among them, of the resource here.
    """

    definition: ResourceDefinition
    change: Change
    payload: str
    local: Callable[[Resource], Resource] = dict


@dataclass(frozen=True, slots=True)
class _Told:
    """What an event tells of a resource: `time` in microseconds, `changed` if it says what has."""

    id: str
    resource: Resource
    time: int
    changed: frozenset[str]


class Replicator:
    """Applies events to the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def apply(
        self, application: ReplicationRule, event: Resource, received: str, origin: EventOrigin
    ) -> bool:
        """Apply an event; return whether it counted.

        `origin` is the request that brought it, for the events that this causes here.

        It does not when it is older than what is there already, tells of nothing with an id, or
        would leave a resource that breaks the contract.
        """
        told = _told(application, event, received)
        if told is None or not self._claim(application.definition, told):
            return False
        for _ in range(_ATTEMPTS):
            try:
                return self._write(application, told, origin)
            except (VersionConflict, DocumentExists):
                continue
        return False

    def _claim(self, definition: ResourceDefinition, told: _Told) -> bool:
        """Note the time of an event about a resource, unless a newer one counted."""
        claim = Write(json.dumps({"id": told.id, "time": told.time}))

        def decide(there: Document | None) -> Write | None:
            return None if there is not None and _time_of(there) > told.time else claim

        try:
            stored = update(self._store, _times(definition), told.id, decide)
        except UpdateContended:
            return False
        return stored is not None and _time_of(stored) == told.time

    def _write(self, application: ReplicationRule, told: _Told, origin: EventOrigin) -> bool:
        """Bring the copy to what the event tells; first read, then look whether it still counts."""
        definition = application.definition
        try:
            there: Document | None = self._store.get(definition.collection, told.id)
        except DocumentNotFound:
            there = None
        if self._is_overtaken(definition, told):
            return False
        if application.change is Change.DELETE:
            if there is not None:
                self._delete(definition, there, origin)
            return True
        try:
            if there is None:
                return self._insert(definition, told, origin)
            return self._replace(definition, there, told, origin)
        except InvalidResource:
            return False

    def _delete(self, definition: ResourceDefinition, there: Document, origin: EventOrigin) -> None:
        events = outbox.deleted(definition, there.id, there.content, there.form, origin)
        self._store.delete(definition.collection, there.id, version=there.version, events=events)

    def _insert(self, definition: ResourceDefinition, told: _Told, origin: EventOrigin) -> bool:
        resource = {"@type": definition.type, **told.resource}
        fill(definition.fills + definition.initial, resource, now())
        resource = definition.forms.conforming(resource)
        definition.check(resource, {})
        content = encode(definition, resource)
        inserted = self._store.insert(
            definition.collection,
            told.id,
            content,
            form=definition.forms.name,
            events=outbox.created(definition, told.id, content, origin),
        )
        if self._is_overtaken(definition, told):  # by a deletion that found nothing yet
            self._delete(definition, inserted, origin)
            return False
        return True

    def _replace(
        self,
        definition: ResourceDefinition,
        there: Document,
        told: _Told,
        origin: EventOrigin,
    ) -> bool:
        before = decode(definition, there)
        kept = {name: value for name, value in before.items() if name not in told.changed}
        after = merged(kept, told.resource)
        after.pop("href", None)
        if same(after, before):
            return True
        fill(definition.fills, after, now())
        after = definition.forms.conforming(after)
        definition.check(after, before)
        content, form = encode_change(definition, there, before, after)
        self._store.replace(
            definition.collection,
            there.id,
            content,
            version=there.version,
            form=form,
            events=outbox.changed(definition, before, after, content, form, origin),
        )
        return True

    def _is_overtaken(self, definition: ResourceDefinition, told: _Told) -> bool:
        return _time_of(self._store.get(_times(definition), told.id)) > told.time


def _told(application: ReplicationRule, event: Resource, received: str) -> _Told | None:
    """Return what an event tells; None when that is nothing with an id."""
    told = event.get("event")
    payload = told.get(application.payload) if isinstance(told, dict) else None
    if not isinstance(payload, dict):
        return None
    resource = application.local(payload)
    id = resource.get("id")
    if not isinstance(id, str) or not id or "/" in id:
        return None
    at_receipt = _instant(received) or 0
    time = _instant(event.get("eventTime")) or at_receipt
    if time > at_receipt + _FUTURE_MICROSECONDS:  # else nothing true would ever count again
        _log.warning(
            "event %s of %s is from the future, and counts as of now", event.get("eventId"), id
        )
        time = at_receipt
    path = event.get("fieldPath")
    own = isinstance(path, str) and application.local is dict  # else it is in others' words
    changed = {name.strip() for name in str(path).split(",")} if own else set()
    return _Told(id, resource, time, frozenset(changed - {"id", "@type"}))


def merged(before: Resource, told: Resource) -> Resource:
    """Return a resource with what an event tells of it; objects are completed, arrays replaced."""
    after = dict(before)
    for name, value in told.items():
        mine = after.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            value = merged(mine, value)
        after[name] = value
    return after


def _times(definition: ResourceDefinition) -> str:
    return f"{definition.collection}@applied"


def _time_of(document: Document) -> int:
    return int(json.loads(document.content)["time"])


def _instant(text: object) -> int | None:
    """Return a date-time as microseconds since 1970."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1_000_000)
