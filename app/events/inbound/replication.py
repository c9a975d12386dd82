"""Replication: events of other systems keep local copies of their resources up to date.

Events may arrive late, twice, or concurrently. The event with the latest `eventTime` wins; an older
one never overwrites it. The time of the last applied event is stored beside the copy, before the
copy is changed.
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
class _ReportedState:
    """The state of a resource that an event reports.

    `time` is in microseconds since 1970; `changed` are the attributes that the event names as
    changed, empty when it names none.
    """

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
        """Apply an event; return whether it was applied.

        An event is not applied when it is older than the stored state, when it names no resource
        with an id, or when the resulting resource would break the contract. `origin` is the request
        that delivered it; events that follow from the change refer to it.
        """
        state = _reported_state(application, event, received)
        if state is None or not self._claim(application.definition, state):
            return False
        for _ in range(_ATTEMPTS):
            try:
                return self._write(application, state, origin)
            except (VersionConflict, DocumentExists):
                continue
        return False

    def _claim(self, definition: ResourceDefinition, state: _ReportedState) -> bool:
        """Store the time of an event about a resource, unless a newer one was applied."""
        claim = Write(json.dumps({"id": state.id, "time": state.time}))

        def decide(there: Document | None) -> Write | None:
            return None if there is not None and _time_of(there) > state.time else claim

        try:
            stored = update(self._store, _times(definition), state.id, decide)
        except UpdateContended:
            return False
        return stored is not None and _time_of(stored) == state.time

    def _write(
        self, application: ReplicationRule, state: _ReportedState, origin: EventOrigin
    ) -> bool:
        """Write the reported state to the copy; give way to newer events found after the read."""
        definition = application.definition
        try:
            there: Document | None = self._store.get(definition.collection, state.id)
        except DocumentNotFound:
            there = None
        if self._is_overtaken(definition, state):
            return False
        if application.change is Change.DELETE:
            if there is not None:
                self._delete(definition, there, origin)
            return True
        try:
            if there is None:
                return self._insert(definition, state, origin)
            return self._replace(definition, there, state, origin)
        except InvalidResource:
            return False

    def _delete(self, definition: ResourceDefinition, there: Document, origin: EventOrigin) -> None:
        events = outbox.deleted(definition, there.id, there.content, there.form, origin)
        self._store.delete(definition.collection, there.id, version=there.version, events=events)

    def _insert(
        self, definition: ResourceDefinition, state: _ReportedState, origin: EventOrigin
    ) -> bool:
        resource = {"@type": definition.type, **state.resource}
        fill(definition.fills + definition.initial, resource, now())
        resource = definition.forms.conforming(resource)
        definition.check(resource, {})
        content = encode(definition, resource)
        inserted = self._store.insert(
            definition.collection,
            state.id,
            content,
            form=definition.forms.name,
            events=outbox.created(definition, state.id, content, origin),
        )
        if self._is_overtaken(definition, state):  # by a deletion that found nothing yet
            self._delete(definition, inserted, origin)
            return False
        return True

    def _replace(
        self,
        definition: ResourceDefinition,
        there: Document,
        state: _ReportedState,
        origin: EventOrigin,
    ) -> bool:
        before = decode(definition, there)
        kept = {name: value for name, value in before.items() if name not in state.changed}
        after = merged(kept, state.resource)
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

    def _is_overtaken(self, definition: ResourceDefinition, state: _ReportedState) -> bool:
        return _time_of(self._store.get(_times(definition), state.id)) > state.time


def _reported_state(
    application: ReplicationRule, event: Resource, received: str
) -> _ReportedState | None:
    """Return the state that an event reports; None when it names no resource with an id."""
    state = event.get("event")
    payload = state.get(application.payload) if isinstance(state, dict) else None
    if not isinstance(payload, dict):
        return None
    resource = application.local(payload)
    id = resource.get("id")
    if not isinstance(id, str) or not id or "/" in id:
        return None
    at_receipt = _instant(received) or 0
    time = _instant(event.get("eventTime")) or at_receipt
    if time > at_receipt + _FUTURE_MICROSECONDS:  # or no later event would ever be applied
        _log.warning(
            "event %s of %s has a time in the future; it is applied as of now",
            event.get("eventId"),
            id,
        )
        time = at_receipt
    path = event.get("fieldPath")
    own = isinstance(path, str) and application.local is dict
    changed = {name.strip() for name in str(path).split(",")} if own else set()
    return _ReportedState(id, resource, time, frozenset(changed - {"id", "@type"}))


def merged(before: Resource, state: Resource) -> Resource:
    """Return a resource with the reported state merged in; arrays are replaced."""
    after = dict(before)
    for name, value in state.items():
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
