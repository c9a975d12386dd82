"""Subscriptions as operators see them: list, pause, resume, remove."""

from __future__ import annotations

import logging
import time

from app.events.operator.errors import OperationConflict
from app.events.operator.views import Listed, SubscriptionView, public_id, stored_id, time_text
from app.events.outbound.delivery_cursors import (
    DeliveryCursor,
    close_cursor,
    find_cursors,
    pause_cursor,
    read_cursor,
    resume_cursor,
)
from app.events.outbound.failed_deliveries import State, find_failed
from app.events.outbound.last_attempts import read_last_attempts
from app.observability.delivery_reports import report
from app.observability.log_events import LogEvent
from app.tmf630.definitions import Resource
from app.tmf630.representation import OWNER
from storage import DocumentNotFound, Store, Window, json, remove
from storage.update import find_document


def list_subscriptions(store: Store, window: Window) -> Listed[SubscriptionView]:
    """Return subscriptions, the newest first."""
    cursors, total = find_cursors(store, window)
    last = store.last_event()
    return Listed([_view(store, cursor, last) for cursor in cursors], total)


def show_subscription(store: Store, id: str) -> SubscriptionView:
    """Return a subscription.

    Raises:
        DocumentNotFound: there is none of that id.
    """
    return _view(store, existing_cursor(store, id), store.last_event())


def pause_subscription(store: Store, id: str, by: str = "") -> SubscriptionView:
    """Stop the deliveries to a listener until they are resumed; what is on its way arrives.

    The worker that finds out logs it.

    Raises:
        DocumentNotFound: there is no subscription of that id.
    """
    cursor = existing_cursor(store, id)
    if not cursor.paused:
        pause_cursor(store, cursor.id, by or "an operator")
    return show_subscription(store, id)


def resume_subscription(store: Store, id: str) -> SubscriptionView:
    """Let a listener that is paused, suspended or resting receive events again, at once.

    Raises:
        DocumentNotFound: there is no subscription of that id.
        OperationConflict: the listener has unregistered.
    """
    cursor = existing_cursor(store, id)
    registered_body(store, cursor)
    if cursor.suspended or cursor.rest_until:
        resume_cursor(store, cursor.id)
    return show_subscription(store, id)


def remove_subscription(store: Store, id: str, by: str = "") -> None:
    """Remove a subscription with its failed deliveries; the listener receives no further events.

    Raises:
        DocumentNotFound: there is no subscription of that id.
    """
    cursor = existing_cursor(store, id)
    collection, _, key = cursor.id.rpartition("/")
    remove(store, collection, key)
    close_cursor(store, cursor.id)
    report_operation(LogEvent.SUBSCRIPTION_REMOVED, cursor.id, by)


def existing_cursor(store: Store, id: str) -> DeliveryCursor:
    """Return the cursor of a subscription.

    Raises:
        DocumentNotFound: there is none.
    """
    cursor = read_cursor(store, stored_id(id))
    if cursor is None:
        raise DocumentNotFound("subscription", public_id(id))
    return cursor


def registered_body(store: Store, cursor: DeliveryCursor) -> Resource:
    """Return a subscription as it was registered.

    Raises:
        OperationConflict: the listener has unregistered.
    """
    body = _body(store, cursor)
    if body is None:
        raise OperationConflict("the listener has unregistered; its subscription can be removed")
    return body


def _body(store: Store, cursor: DeliveryCursor) -> Resource | None:
    collection, _, id = cursor.id.rpartition("/")
    document = find_document(store, collection, id)
    if document is None:
        return None
    body: Resource = json.loads(document.content)
    return body


def _view(store: Store, cursor: DeliveryCursor, last: int) -> SubscriptionView:
    body = _body(store, cursor)
    behind, missed = _standing(store, cursor, last)
    view: SubscriptionView = {
        "id": public_id(cursor.id),
        "hub": cursor.id.rpartition("/")[0],
        "state": _state(cursor, registered=body is not None),
        "behind": behind,
        "missed": missed,
        "waiting": _count(store, cursor, "waiting"),
        "parked": _count(store, cursor, "parked"),
    }
    if body is not None:
        view["callback"] = body["callback"]
        if body.get("query"):
            view["query"] = body["query"]
        if OWNER in body:
            view["owner"] = body[OWNER]
    if cursor.suspended:
        view["reason"] = cursor.suspended
    if view["state"] == "resting":
        view["restsUntil"] = time_text(cursor.rest_until)
    if cursor.holder:
        view["holder"] = cursor.holder
        view["heldUntil"] = time_text(cursor.held_until)
    attempts = read_last_attempts(store, cursor.id)
    if attempts.succeeded_at:
        view["lastSuccess"] = time_text(attempts.succeeded_at)
    if attempts.failed_at:
        view["lastFailure"] = time_text(attempts.failed_at)
        view["lastError"] = attempts.error
    return view


def _state(cursor: DeliveryCursor, *, registered: bool) -> str:
    if not registered:
        return "unregistered"
    if cursor.suspended:
        return "paused" if cursor.paused else "suspended"
    return "resting" if cursor.rest_until > time.time() else "active"


def _standing(store: Store, cursor: DeliveryCursor, last: int) -> tuple[int, int]:
    """Return how many events lie before a cursor, and how many were removed untold."""
    following = store.events(cursor.position, 1)
    first = following[0].number if following else last + 1
    return last - first + 1, cursor.missed + first - 1 - cursor.position


def _count(store: Store, cursor: DeliveryCursor, state: State) -> int:
    return find_failed(store, Window(0, 0), cursor=cursor.id, state=state)[1]


def report_operation(event: LogEvent, subscription: str, by: str) -> None:
    """Log what an operator did about a subscription."""
    report(logging.INFO, event, subscription=subscription, by=by or "an operator")
