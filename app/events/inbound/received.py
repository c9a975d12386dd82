"""Received events: what other systems sent, as it came, and what became of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.events.inbound.replication import Outcome, OutcomeState, ReplicationRule, Replicator
from app.observability.log_events import LogEvent, log_event
from app.observability.rate_limit import RateLimit
from app.tmf630.definitions import ListenerDefinition, Resource
from app.tmf630.lifecycle import now
from app.tmf630.outbox import EventOrigin
from storage import (
    Comparison,
    Document,
    DocumentExists,
    Index,
    Operator,
    Query,
    Store,
    Window,
    Write,
    json,
    update,
)
from storage.update import find_document

RECEIVED_INDEXES = (Index((("outcome",),)),)
"""Indexes of a collection of received events."""

Rules = Mapping[str, Sequence[ReplicationRule]]
"""What the events that arrive at a listener change, by the listener's path."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event as it came; `listener` is the last part of `path`, which it was sent to."""

    id: str
    listener: str
    path: str
    received_at: str
    event: Resource
    outcome: Outcome


class ReceivedEvents:
    """The received events of one collection."""

    def __init__(self, store: Store, collection: str, rules: Rules) -> None:
        self._store = store
        self._collection = collection
        self._rules = rules
        self._replicator = Replicator(store)
        self._reports = RateLimit()

    def receive(self, listener: ListenerDefinition, event: Resource, origin: EventOrigin) -> str:
        """Keep an event once, apply it, and return its id here.

        An event is the same when its `eventId` is; one without is the same when all of it is.
        """
        named = event.get("eventId")
        same = named if isinstance(named, str) and named else json.dumps(event).decode()
        id = hashlib.sha256(f"{listener.event}\n{same}".encode()).hexdigest()[:32]
        received = Received(id, listener.event, listener.path, now(), event, Outcome())
        # First, so that an event that was only half applied is applied when it comes again.
        received = replace(received, outcome=self._apply(received, origin))
        try:
            self._store.insert(self._collection, id, _encode(received))
        except DocumentExists:
            self._settle(received)
        self._report(received)
        return id

    def find(
        self, window: Window, *, state: OutcomeState | None = None, count: bool = True
    ) -> tuple[list[Received], int]:
        """Return a window of the events, the newest first, and how many there are."""
        where = Comparison(("outcome",), Operator.EQ, state) if state else None
        query = Query(where=where, window=window, count=count)
        page = self._store.find(self._collection, query)
        return [_decode(each) for each in page.documents], page.total or 0

    def get(self, id: str) -> Received | None:
        """Return an event; None when there is none of that id."""
        document = find_document(self._store, self._collection, id)
        return None if document is None else _decode(document)

    def is_followed(self, received: Received) -> bool:
        """Whether anything here follows the events of the listener."""
        return bool(self._rules_of(received))

    def apply_again(self, received: Received, origin: EventOrigin) -> Received:
        """Apply an event that could not be applied before."""
        again = replace(received, outcome=self._apply(received, origin))
        self._settle(again)
        self._report(again)
        return again

    def _rules_of(self, received: Received) -> Sequence[ReplicationRule]:
        """Return what the event changes; events of earlier releases do not say their path."""
        if received.path in self._rules:
            return self._rules[received.path]
        fitting = (each for each in self._rules if each.endswith(f"/{received.listener}"))
        return self._rules.get(next(fitting, ""), ())

    def _apply(self, received: Received, origin: EventOrigin) -> Outcome:
        outcomes = [
            self._replicator.apply(rule, received.event, received.received_at, origin)
            for rule in self._rules_of(received)
        ]
        return _worst(outcomes)

    def _settle(self, received: Received) -> None:
        """Keep an event in place of what was here before, unless that had counted already."""

        def decide(there: Document | None) -> Write | None:
            if there is not None and _decode(there).outcome.state is not OutcomeState.FAILED:
                return None
            return Write(_encode(received))

        update(self._store, self._collection, received.id, decide)

    def _report(self, received: Received) -> None:
        if received.outcome.state is not OutcomeState.FAILED:
            return
        suppressed = self._reports.admit(received.listener)
        if suppressed is None:
            return
        log_event(
            logging.WARNING,
            LogEvent.RECEIVED_FAILED,
            logger="tmf683.listener",
            listener=received.listener,
            id=received.id,
            reason=received.outcome.reason,
            suppressed=suppressed,
        )


def received_events(
    store: Store, listeners: Iterable[tuple[ListenerDefinition, Sequence[ReplicationRule]]]
) -> dict[str, ReceivedEvents]:
    """Return the received events by their collection, given each listener and what it changes."""
    rules: dict[str, dict[str, Sequence[ReplicationRule]]] = {}
    for listener, changes in listeners:
        rules.setdefault(listener.collection, {})[listener.path] = changes
    return {name: ReceivedEvents(store, name, each) for name, each in rules.items()}


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what to tell of an event that changes several collections."""
    order = (OutcomeState.FAILED, OutcomeState.APPLIED, OutcomeState.OUTDATED)
    for state in order:
        for each in outcomes:
            if each.state is state:
                return each
    return Outcome()


def _encode(received: Received) -> bytes:
    kept = {
        "id": received.id,
        "listener": received.listener,
        "path": received.path,
        "receivedAt": received.received_at,
        "outcome": received.outcome.state,
        **({"reason": received.outcome.reason} if received.outcome.reason else {}),
        "event": received.event,
    }
    return json.dumps(kept)


def _decode(document: Document) -> Received:
    kept = json.loads(document.content)
    return Received(
        id=kept["id"],
        listener=kept["listener"],
        path=kept.get("path", ""),
        received_at=kept["receivedAt"],
        event=kept["event"],
        outcome=Outcome(OutcomeState(kept.get("outcome", "kept")), kept.get("reason", "")),
    )
