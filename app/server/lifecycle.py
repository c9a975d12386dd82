"""The life of the server in the log: gunicorn's arbiter and hooks, a line for each step."""

from __future__ import annotations

import logging
import os
from importlib.metadata import version

from gunicorn.arbiter import Arbiter

from app.observability.log_events import LogEvent, log_event
from app.settings import Settings, shown


class LoggingArbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's arbiter, which logs that it stops the workers."""

    _stopping = False

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
