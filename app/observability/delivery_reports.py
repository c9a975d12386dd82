"""Reports of event delivery: one log line for each event, and a metric.

The same event of one subscription is logged at most once a minute; the next line says in
`suppressed` how many were left out.
"""

from __future__ import annotations

import logging
from typing import Any

from app.observability.log_events import LogEvent, log_event
from app.observability.metrics import Metrics
from app.observability.rate_limit import RateLimit

_LOGGER = "tmf683.delivery"


class DeliveryReports:
    """Logs and counts what happens to deliveries."""

    def __init__(self, metrics: Metrics | None = None, limit: RateLimit | None = None) -> None:
        self._metrics = metrics
        self._limit = limit or RateLimit()

    def failed(self, subscription: str, type: str, id: str, error: str) -> None:
        """Report an attempt that failed."""
        self._report(
            logging.WARNING, LogEvent.DELIVERY_FAILED, subscription, type=type, id=id, error=error
        )

    def parked(self, subscription: str, type: str, id: str, error: str) -> None:
        """Report a delivery that was given up."""
        self._count("parked")
        self._report(
            logging.ERROR, LogEvent.DELIVERY_PARKED, subscription, type=type, id=id, error=error
        )

    def missed(self, subscription: str, number: int) -> None:
        """Report events that were removed before they were delivered."""
        self._report(logging.ERROR, LogEvent.DELIVERY_MISSED, subscription, events=number)

    def suspended(self, subscription: str, reason: str) -> None:
        """Report that deliveries to a subscription are stopped."""
        self._count("suspended")
        self._report(logging.ERROR, LogEvent.SUBSCRIPTION_SUSPENDED, subscription, reason=reason)

    def recovered(self, subscription: str, rests: int) -> None:
        """Report that an absent listener takes events again."""
        self._count("recovered")
        self._report(logging.INFO, LogEvent.SUBSCRIPTION_RECOVERED, subscription, rests=rests)

    def resumed(self, subscription: str) -> None:
        """Report that an operator let a suspended subscription go on."""
        self._count("resumed")
        self._report(logging.INFO, LogEvent.SUBSCRIPTION_RESUMED, subscription)

    def paused(self, subscription: str, reason: str) -> None:
        """Report that an operator has stopped the deliveries to a listener."""
        self._report(logging.INFO, LogEvent.SUBSCRIPTION_PAUSED, subscription, reason=reason)

    def clock_stepped(self, seconds: float) -> None:
        """Report that the wall clock jumped, forwards or (negative) backwards."""
        report(logging.WARNING, LogEvent.CLOCK_STEPPED, seconds=round(seconds, 1))

    def _count(self, transition: str) -> None:
        if self._metrics is not None:
            self._metrics.delivery_transition(transition)

    def _report(self, level: int, event: LogEvent, subscription: str, **fields: Any) -> None:
        suppressed = self._limit.admit(event, subscription)
        if suppressed is None:
            return
        if suppressed:
            fields["suppressed"] = suppressed
        report(level, event, subscription=subscription, **fields)


def report(level: int, event: LogEvent, **fields: Any) -> None:
    """Log one line about delivery."""
    log_event(level, event, logger=_LOGGER, **fields)
