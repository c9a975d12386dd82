"""The operations of operators on events, on a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.events.inbound.received import ReceivedEvents
from app.events.operator import deliveries, received, subscriptions
from app.events.operator.sample_event import Send, send_test_event
from app.events.operator.views import (
    DeliveryView,
    Listed,
    ReceivedView,
    SubscriptionView,
    TestResult,
)
from app.events.outbound.failed_deliveries import State
from app.observability.log_events import LogEvent
from app.tmf630.outbox import EventOrigin
from storage import Store, Window


class Operations(Protocol):
    """What operators do about events, wherever the store is.

    A method that is given an id raises `DocumentNotFound` where there is nothing of that id, and
    `OperationConflict` where its state does not allow the operation.
    """

    def subscriptions(self, window: Window) -> Listed[SubscriptionView]:
        """Return subscriptions, the newest first."""

    def subscription(self, id: str) -> SubscriptionView:
        """Return a subscription."""

    def pause(self, id: str) -> SubscriptionView:
        """Stop the deliveries to a listener until they are resumed."""

    def resume(self, id: str) -> SubscriptionView:
        """Let a listener that is paused, suspended or resting receive events again."""

    def test(self, id: str) -> TestResult:
        """Send a test event to a listener, and return what it answers."""

    def remove(self, id: str) -> None:
        """Remove a subscription with its failed deliveries."""

    def deliveries(
        self,
        window: Window,
        *,
        state: State | None = None,
        subscription: str | None = None,
        event: str | None = None,
    ) -> Listed[DeliveryView]:
        """Return failed deliveries without payloads, the oldest events first."""

    def delivery(self, id: str) -> DeliveryView:
        """Return a failed delivery with its payload."""

    def retry(self, id: str) -> DeliveryView:
        """Try a delivery again at once."""

    def retry_all(self, subscription: str) -> int:
        """Try every failed delivery of a subscription again; return how many those are."""

    def purge(self, id: str) -> None:
        """Remove a failed delivery."""

    def purge_all(self, subscription: str | None = None) -> int:
        """Remove every parked delivery, or those of one subscription; return how many."""

    def received(self, window: Window, *, failed: bool = False) -> Listed[ReceivedView]:
        """Return received events without content, the newest first."""

    def received_event(self, id: str) -> ReceivedView:
        """Return a received event with its content."""

    def apply(self, id: str) -> ReceivedView:
        """Apply a received event again."""


class EventOperations:
    """`Operations` on a store.

    `send` sends test events, `kept` are the received events of each API, `by` names the operator in
    the log, and `origin` is the request that events say they were caused by.
    """

    def __init__(
        self,
        store: Store,
        send: Send,
        kept: Sequence[ReceivedEvents],
        *,
        by: str = "",
        origin: EventOrigin | None = None,
    ) -> None:
        self._store = store
        self._send = send
        self._kept = kept
        self._by = by
        self._origin = origin or EventOrigin("")

    def on_behalf_of(self, by: str, origin: EventOrigin) -> EventOperations:
        """Return the same operations for one request of an operator."""
        return EventOperations(self._store, self._send, self._kept, by=by, origin=origin)

    def subscriptions(self, window: Window) -> Listed[SubscriptionView]:
        """See `Operations.subscriptions`."""
        return subscriptions.list_subscriptions(self._store, window)

    def subscription(self, id: str) -> SubscriptionView:
        """See `Operations.subscription`."""
        return subscriptions.show_subscription(self._store, id)

    def pause(self, id: str) -> SubscriptionView:
        """See `Operations.pause`."""
        return subscriptions.pause_subscription(self._store, id, self._by)

    def resume(self, id: str) -> SubscriptionView:
        """See `Operations.resume`."""
        return subscriptions.resume_subscription(self._store, id)

    def test(self, id: str) -> TestResult:
        """See `Operations.test`."""
        cursor = subscriptions.existing_cursor(self._store, id)
        callback = subscriptions.registered_body(self._store, cursor)["callback"]
        result = send_test_event(self._send, callback)
        subscriptions.report_operation(LogEvent.SUBSCRIPTION_TESTED, cursor.id, self._by)
        return result

    def remove(self, id: str) -> None:
        """See `Operations.remove`."""
        subscriptions.remove_subscription(self._store, id, self._by)

    def deliveries(
        self,
        window: Window,
        *,
        state: State | None = None,
        subscription: str | None = None,
        event: str | None = None,
    ) -> Listed[DeliveryView]:
        """See `Operations.deliveries`."""
        return deliveries.list_deliveries(
            self._store, window, state=state, subscription=subscription, event=event
        )

    def delivery(self, id: str) -> DeliveryView:
        """See `Operations.delivery`."""
        return deliveries.show_delivery(self._store, id)

    def retry(self, id: str) -> DeliveryView:
        """See `Operations.retry`."""
        return deliveries.retry_delivery(self._store, id, self._by)

    def retry_all(self, subscription: str) -> int:
        """See `Operations.retry_all`."""
        return deliveries.retry_deliveries(self._store, subscription, self._by)

    def purge(self, id: str) -> None:
        """See `Operations.purge`."""
        deliveries.purge_delivery(self._store, id, self._by)

    def purge_all(self, subscription: str | None = None) -> int:
        """See `Operations.purge_all`."""
        return deliveries.purge_deliveries(self._store, subscription, self._by)

    def received(self, window: Window, *, failed: bool = False) -> Listed[ReceivedView]:
        """See `Operations.received`."""
        return received.list_received(self._kept, window, failed=failed)

    def received_event(self, id: str) -> ReceivedView:
        """See `Operations.received_event`."""
        return received.show_received(self._kept, id)

    def apply(self, id: str) -> ReceivedView:
        """See `Operations.apply`."""
        return received.apply_received(self._kept, id, self._origin)
