"""Received events as operators see them: list, show, apply again."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge
from typing import Any

from app.events.inbound.received import Received, ReceivedEvents
from app.events.inbound.replication import OutcomeState
from app.events.operator.errors import OperationConflict
from app.events.operator.views import Listed, ReceivedView
from app.tmf630.outbox import EventOrigin
from storage import DocumentNotFound, Window


def list_received(
    kept: Sequence[ReceivedEvents], window: Window, *, failed: bool = False
) -> Listed[ReceivedView]:
    """Return received events without their content, the newest first.

    `kept` are the events of each API. `failed` leaves only those that could not be applied.
    """
    state = OutcomeState.FAILED if failed else None
    through = Window(0, window.offset + window.limit)
    pages = [each.find(through, state=state) for each in kept]
    newest = merge(*(found for found, _ in pages), key=lambda each: each.received_at, reverse=True)
    items = list(newest)[window.offset : through.limit]
    return Listed([_view(each) for each in items], sum(total for _, total in pages))


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
