"""Lifecycle of the server: gunicorn's arbiter and hooks, which log each step."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from importlib.metadata import version

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from app.events.outbound.processes import DeliveryProcess
from app.observability.log_events import LogEvent, log_event
from app.settings import Settings, shown


class ServerArbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's arbiter, which also keeps the delivery process running, and logs its own end.

    `deliver` delivers events in that process, given how often it was started again, and `seconds`
    is how long the deliveries in flight may take at the end; None starts no process.
    """

    _stopping = False

    def __init__(
        self,
        app: BaseApplication,
        deliver: Callable[[int], None] | None,
        seconds: float,
    ) -> None:
        super().__init__(app)
        self._delivery = None
        if deliver is not None:
            self._delivery = DeliveryProcess(deliver, close=self._close_sockets, seconds=seconds)

    def manage_workers(self) -> None:
        """Start what is missing; gunicorn calls this every second."""
        super().manage_workers()
        if self._delivery is not None and not self._stopping:
            self._delivery.ensure_running()

    def reap_workers(self) -> None:
        """Note which processes have ended."""
        if self._delivery is not None:
            self._delivery.reap()
        super().reap_workers()

    def stop_delivery(self) -> None:
        """End the delivery process, once no worker makes events."""
        if self._delivery is not None:
            self._delivery.stop()

    def _close_sockets(self) -> None:
        for each in self.LISTENERS:
            each.close()

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers; see `Arbiter.stop`, which may be called twice."""
        if not self._stopping:
            self._stopping = True
            log_event(logging.INFO, LogEvent.SERVER_STOPPING, pid=os.getpid(), graceful=graceful)
        super().stop(graceful)


def log_start(settings: Settings, workers: int) -> None:
    """Log that the server begins to start."""
    log_event(
        logging.INFO,
        LogEvent.SERVER_STARTING,
        version=version("tmf683"),
        pid=os.getpid(),
        host=settings.host,
        port=settings.port,
        workers=workers,
        store=dict(shown(settings))["TMF_STORE"],
    )


def on_reload(arbiter: Arbiter) -> None:
    """Log that the workers are replaced: gunicorn's hook."""
    log_event(logging.INFO, LogEvent.SERVER_RELOADING, pid=arbiter.pid)


def on_exit(arbiter: Arbiter) -> None:
    """Log that every worker has ended: gunicorn's hook."""
    log_event(logging.INFO, LogEvent.SERVER_STOPPED, pid=arbiter.pid)
