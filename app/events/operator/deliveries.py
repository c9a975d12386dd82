"""Failed deliveries as operators see them: list, show, retry, purge."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import replace

from app.events.operator.subscriptions import existing_cursor
from app.events.operator.views import (
    MOST_AT_ONCE,
    DeliveryView,
    Listed,
    public_id,
    stored_id,
    time_text,
)
from app.events.outbound.delivery_cursors import read_cursor, reload_cursor, resume_cursor
from app.events.outbound.failed_deliveries import (
    FailedDelivery,
    State,
    failed_deliveries,
    find_failed,
    forget_failed,
    put_failed,
    read_failed,
)
from app.observability.delivery_reports import report
from app.observability.log_events import LogEvent
from storage import DocumentNotFound, Store, Window


def list_deliveries(
    store: Store,
    window: Window,
    *,
    state: State | None = None,
    subscription: str | None = None,
    event: str | None = None,
) -> Listed[DeliveryView]:
    """Return failed deliveries without their payloads, the oldest events first."""
    cursor = stored_id(subscription) if subscription else None
    views: list[DeliveryView] = []
    while True:
        part = Window(window.offset + len(views), min(window.limit - len(views), MOST_AT_ONCE))
        found, total = find_failed(store, part, cursor=cursor, state=state, event=event)
        views += map(_view, found)
        if len(views) >= window.limit or len(found) < part.limit:
            return Listed(views, total)


def show_delivery(store: Store, id: str) -> DeliveryView:
    """Return a failed delivery with its payload.

    Raises:
        DocumentNotFound: there is none of that id.
    """
    failed = _existing(store, id)
    view = _view(failed)
    view["payload"] = failed.body
    return view


def retry_delivery(store: Store, id: str, by: str = "") -> DeliveryView:
    """Try a delivery again at once, with all its attempts; a suspended listener goes on.

    While an operator has paused the subscription, the delivery waits.

    Raises:
        DocumentNotFound: there is none of that id.
    """
    failed = _existing(store, id)
    _retry(store, [failed], failed.cursor, by)
    return show_delivery(store, id)


def retry_deliveries(store: Store, subscription: str, by: str = "") -> int:
    """Try every failed delivery of a subscription again; return how many those are.

    Raises:
        DocumentNotFound: there is no subscription of that id.
    """
    cursor = existing_cursor(store, subscription)
    found = failed_deliveries(store, cursor=cursor.id)
    _retry(store, found, cursor.id, by)
    return len(found)


def purge_delivery(store: Store, id: str, by: str = "") -> None:
    """Remove a failed delivery; the listener never receives it.

    Raises:
        DocumentNotFound: there is none of that id.
    """
    _purge(store, [_existing(store, id)], by)


def purge_deliveries(store: Store, subscription: str | None = None, by: str = "") -> int:
    """Remove every parked delivery, or those of one subscription; return how many those are.

    Raises:
        DocumentNotFound: there is no subscription of that id.
    """
    cursor = existing_cursor(store, subscription).id if subscription else None
    found = failed_deliveries(store, cursor=cursor, state="parked")
    _purge(store, found, by)
    return len(found)


def _existing(store: Store, id: str) -> FailedDelivery:
    failed = read_failed(store, stored_id(id))
    if failed is None:
        raise DocumentNotFound("delivery", public_id(id))
    return failed


def _retry(store: Store, deliveries: Iterable[FailedDelivery], cursor: str, by: str) -> None:
    retry_at = 0.0
    for each in deliveries:
        put_failed(store, replace(each, state="waiting", attempts=0, next=0.0))
        _report(LogEvent.DELIVERY_RETRIED, each, by)
        retry_at = time.time()
    there = read_cursor(store, cursor)
    if there is not None and there.paused:
        reload_cursor(store, cursor, retry_at=retry_at)
    else:
        resume_cursor(store, cursor, retry_at=retry_at)


def _purge(store: Store, deliveries: Iterable[FailedDelivery], by: str) -> None:
    waited = set()
    for each in deliveries:
        forget_failed(store, each.id)
        _report(LogEvent.DELIVERY_PURGED, each, by)
        if each.state == "waiting":  # a worker may have read it
            waited.add(each.cursor)
    for cursor in waited:
        reload_cursor(store, cursor)


def _view(failed: FailedDelivery) -> DeliveryView:
    view: DeliveryView = {
        "id": public_id(failed.id),
        "subscription": public_id(failed.cursor),
        "event": failed.event,
        "eventType": failed.type,
        "resource": failed.resource,
        "number": failed.number,
        "state": failed.state,
        "attempts": failed.attempts,
    }
    if failed.state == "waiting" and failed.next:
        view["nextAttempt"] = time_text(failed.next)
    if failed.error:
        view["error"] = failed.error
    return view


def _report(event: LogEvent, failed: FailedDelivery, by: str) -> None:
    report(
        logging.INFO,
        event,
        subscription=failed.cursor,
        type=failed.type,
        id=failed.event,
        by=by or "an operator",
    )
