"""The events of the log: every line that tells of one has its name in `event`.

Names are stable: alarms may rely on them. `docs/reference/log.md` lists them, and a test compares
that page with this module.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any, Self


class LogEvent(StrEnum):
    """The name of an event of the log, and when it happens."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        """Return a member, which is its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    START_REFUSED = "start.refused", "a server or deliverer does not start; the message says why"
    STORE_LATE = "store.late", "the store has not answered a start in time, and is asked again"
    SERVER_STARTING = "server.starting", "the server begins to start"
    SERVER_READY = "server.ready", "requests are answered from here on"
    SERVER_RELOADING = "server.reloading", "the workers are replaced (HUP)"
    SERVER_STOPPING = "server.stopping", "the server was told to stop (TERM, INT)"
    SERVER_STOPPED = "server.stopped", "every worker has ended"
    SERVER_NOT_READY = "server.not_ready", "`/health/ready` answers 503"
    WORKER_READY = "worker.ready", "a worker answers requests"
    WORKER_DRAINING = "worker.draining", "a worker takes no new connections, and finishes requests"
    WORKER_STOPPED = "worker.stopped", "a worker has finished its requests"
    WORKER_ORPHANED = "worker.orphaned", "a worker stops because the process above it has died"
    WORKER_WITHOUT_STORE = "worker.without_store", "a worker cannot open the store; another tries"
    CONNECTIONS_EXHAUSTED = "connections.exhausted", "there is no room for new connections"
    QUERY_SLOW = "query.slow", "a query took longer than `TMF_SLOW_QUERY_SECONDS`"
    DELIVERER_STARTED = "deliverer.started", "a delivery worker begins"
    DELIVERER_STOPPING = "deliverer.stopping", "a delivery worker was told to stop"
    DELIVERER_STOPPED = "deliverer.stopped", "a delivery worker has ended"
    DELIVERER_EXITED = "deliverer.exited", "the delivery process died, and is started again"
    DELIVERY_FAILED = "delivery.failed", "an attempt to deliver an event failed"
    DELIVERY_PARKED = "delivery.parked", "an event was given up after its attempts"
    DELIVERY_MISSED = "delivery.missed", "events were removed before they were delivered"
    DELIVERY_RETRIED = "delivery.retried", "an operator lets a delivery be tried again"
    DELIVERY_PURGED = "delivery.purged", "an operator has removed a failed delivery"
    SUBSCRIPTION_SUSPENDED = "subscription.suspended", "deliveries to a listener were stopped"
    SUBSCRIPTION_RECOVERED = "subscription.recovered", "an absent listener takes events again"
    SUBSCRIPTION_RESUMED = "subscription.resumed", "an operator lets a subscription go on"
    SUBSCRIPTION_PAUSED = "subscription.paused", "an operator has stopped deliveries to a listener"
    SUBSCRIPTION_REMOVED = "subscription.removed", "an operator has removed a subscription"
    SUBSCRIPTION_TESTED = "subscription.tested", "an operator has sent a test event to a listener"
    RECEIVED_FAILED = "received.failed", "an event of another system could not be applied"
    CLOCK_STEPPED = "clock.stepped", "the wall clock jumped"


def log_event(
    level: int, event: LogEvent, *, logger: str = "tmf683.server", message: str = "", **fields: Any
) -> None:
    """Log one line about an event; its message is the event's name in words where none is given."""
    words = message or event.replace(".", " ").replace("_", " ")
    logging.getLogger(logger).log(level, "%s", words, extra={"fields": {"event": event, **fields}})
