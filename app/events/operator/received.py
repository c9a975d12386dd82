"""Received events as operators see them: list, show, apply again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import count, islice
from typing import Any

from app.events.inbound.received import Received, ReceivedEvents
from app.events.inbound.replication import OutcomeState
from app.events.operator.errors import OperationConflict
from app.events.operator.views import MOST_AT_ONCE, Listed, ReceivedView
from app.tmf630.outbox import EventOrigin
from storage import DocumentNotFound, Window


def list_received(
    kept: Sequence[ReceivedEvents], window: Window, *, failed: bool = False
) -> Listed[ReceivedView]:
    """Return received events without their content, the newest first.

    `kept` are the events of each API. `failed` leaves only those that could not be applied.
    """
    state = OutcomeState.FAILED if failed else None
    total = sum(each.find(Window(0, 0), state=state)[1] for each in kept)
    views = (_views(each, state) for each in kept)
    newest = merge(*views, key=lambda each: each["receivedAt"], reverse=True)
    return Listed(list(islice(newest, window.offset, window.offset + window.limit)), total)


def _views(events: ReceivedEvents, state: OutcomeState | None) -> Iterator[ReceivedView]:
    """Yield the events of one API, the newest first; few of them are in memory at once."""
    for offset in count(0, MOST_AT_ONCE):
        found, _ = events.find(Window(offset, MOST_AT_ONCE), state=state, count=False)
        yield from map(_view, found)
        if len(found) < MOST_AT_ONCE:
            return


def show_received(kept: Sequence[ReceivedEvents], id: str) -> ReceivedView:
    """Return a received event with its content.

    Raises:
        DocumentNotFound: there is none of that id.
    """
    _, found = _existing(kept, id)
    return _whole(found)


def apply_received(kept: Sequence[ReceivedEvents], id: str, origin: EventOrigin) -> ReceivedView:
    """Apply a received event again, after what stopped it was mended.

    Raises:
        DocumentNotFound: there is none of that id.
        OperationConflict: nothing here follows such events.
    """
    events, found = _existing(kept, id)
    if not events.is_followed(found):
        raise OperationConflict(f"nothing here follows {found.listener}; it is kept")
    return _whole(events.apply_again(found, origin))


def _existing(kept: Sequence[ReceivedEvents], id: str) -> tuple[ReceivedEvents, Received]:
    for events in kept:
        found = events.get(id)
        if found is not None:
            return events, found
    raise DocumentNotFound("received event", id)


def _whole(received: Received) -> ReceivedView:
    view = _view(received)
    view["event"] = received.event
    return view


def _view(received: Received) -> ReceivedView:
    view: ReceivedView = {
        "id": received.id,
        "listener": received.listener,
        "receivedAt": received.received_at,
        "outcome": received.outcome.state,
    }
    if received.outcome.reason:
        view["reason"] = received.outcome.reason
    named: Any = received.event.get("eventId")
    if named is not None:
        view["eventId"] = str(named)
    return view
