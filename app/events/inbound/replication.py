"""Replication: events of other systems keep local copies of their resources up to date.

Events may arrive late, twice, or concurrently. The event with the latest `eventTime` wins; an older
one never overwrites it. The time of the last applied event is stored beside the copy, before the
copy is changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.events.inbound.normalisation import conforming, instant_of, normalised
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
    DocumentTooLarge,
    Store,
    UpdateContended,
    VersionConflict,
    Write,
    json,
    update,
)
from storage.update import ATTEMPTS

_FUTURE_MICROSECONDS = 300 * 1_000_000
"""How far an event's time may be ahead of this server's clock."""

_log = logging.getLogger(__name__)


class OutcomeState(StrEnum):
    """What became of a received event."""

    KEPT = "kept"
    """Nothing here follows such events."""
    APPLIED = "applied"
    OUTDATED = "outdated"
    """What is here already is newer."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a received event; `reason` says why it could not be applied."""

    state: OutcomeState = OutcomeState.KEPT
    reason: str = ""


class _NotApplicable(Exception):
    """An event tells of nothing that could be applied; the message says why."""


_APPLIED = Outcome(OutcomeState.APPLIED)
_OUTDATED = Outcome(OutcomeState.OUTDATED)


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
    ) -> Outcome:
        """Apply an event, and return the outcome.

        An event is outdated when it is older than the stored state. It fails when it names no
        resource with an id, or when the resulting resource would break the contract. `origin` is
        the request that delivered it; events that follow from the change refer to it.
        """
        try:
            state = _reported_state(application, event, received)
            if not self._claim(application.definition, state):
                return _OUTDATED
            for _ in range(ATTEMPTS):
                try:
                    return self._write(application, state, origin)
                except (VersionConflict, DocumentExists):
                    continue
        except (InvalidResource, DocumentTooLarge, _NotApplicable) as error:
            return Outcome(OutcomeState.FAILED, str(error))
        except UpdateContended:
            pass
        return Outcome(OutcomeState.FAILED, "the resource was being changed by others")

    def _claim(self, definition: ResourceDefinition, state: _ReportedState) -> bool:
        """Store the time of an event about a resource, unless a newer one was applied."""
        claim = Write(json.dumps({"id": state.id, "time": state.time}))

        def decide(there: Document | None) -> Write | None:
            return None if there is not None and _time_of(there) > state.time else claim

        stored = update(self._store, _times(definition), state.id, decide)
        return stored is not None and _time_of(stored) == state.time

    def _write(
        self, application: ReplicationRule, state: _ReportedState, origin: EventOrigin
    ) -> Outcome:
        """Write the reported state to the copy; give way to newer events found after the read."""
        definition = application.definition
        try:
            there: Document | None = self._store.get(definition.collection, state.id)
        except DocumentNotFound:
            there = None
        if self._is_overtaken(definition, state):
            return _OUTDATED
        if application.change is Change.DELETE:
            if there is not None:
                self._delete(definition, there, origin)
            return _APPLIED
        if there is None:
            return self._insert(definition, state, origin)
        return self._replace(definition, there, state, origin)

    def _delete(self, definition: ResourceDefinition, there: Document, origin: EventOrigin) -> None:
        events = outbox.deleted(definition, there.id, there.content, there.form, origin)
        self._store.delete(definition.collection, there.id, version=there.version, events=events)

    def _insert(
        self, definition: ResourceDefinition, state: _ReportedState, origin: EventOrigin
    ) -> Outcome:
        resource = {"@type": definition.type, **state.resource}
        fill(definition.fills + definition.initial, resource, now())
        resource = conforming(definition, resource)
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
            return _OUTDATED
        return _APPLIED

    def _replace(
        self,
        definition: ResourceDefinition,
        there: Document,
        state: _ReportedState,
        origin: EventOrigin,
    ) -> Outcome:
        before = decode(definition, there)
        kept = {name: value for name, value in before.items() if name not in state.changed}
        after = merged(kept, state.resource)
        after.pop("href", None)
        if same(after, before):
            return _APPLIED
        fill(definition.fills, after, now())
        after = conforming(definition, after)
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
        return _APPLIED

    def _is_overtaken(self, definition: ResourceDefinition, state: _ReportedState) -> bool:
        return _time_of(self._store.get(_times(definition), state.id)) > state.time


def _reported_state(application: ReplicationRule, event: Resource, received: str) -> _ReportedState:
    """Return the state that an event reports.

    Raises:
        _NotApplicable: it names no resource with an id.
    """
    told = event.get("event")
    if not isinstance(told, dict):
        raise _NotApplicable("/event is no object")
    payload = _named(told, application.payload)
    if not isinstance(payload, dict):
        raise _NotApplicable(f"/event/{application.payload} is no object")
    resource = application.local(payload)
    resource = normalised(application.definition, resource)
    id = resource.get("id")
    if not isinstance(id, str) or not id or "/" in id:
        raise _NotApplicable(f"/event/{application.payload}/id cannot be the id of a resource")
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


def _named(told: Resource, name: str) -> object:
    """Return an attribute, whatever the case in which the sender writes its name."""
    if name in told:
        return told[name]
    return next((value for other, value in told.items() if other.lower() == name.lower()), None)


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


def _instant(value: object) -> int | None:
    """Return a date-time as microseconds since 1970."""
    at = instant_of(value)
    return None if at is None else round(at.timestamp() * 1_000_000)
