"""Health: whether the server can answer requests, and if not, why."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.events.outbound.backlog import BacklogReader
from app.observability.log_events import LogEvent, log_event
from app.observability.metrics import Backlog, Metrics
from app.observability.missing_indexes import MissingIndexes
from app.web.refreshed import Refreshed
from app.web.write_check import WriteCheck
from storage import Store, StoreError

_START_SECONDS = 60.0
"""How long a server may be without a delivery worker after its start."""


@dataclass(frozen=True, slots=True)
class _Findings:
    """What a look at the store found: its missing indexes, those being built, the backlog."""

    missing: int
    builds: Mapping[str, float | None]
    backlog: Backlog


class Health:
    """Checks the store, its indexes and the delivery of events.

    More than `most_pending` undelivered events make the server unavailable; 0 is any number.
    """

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        indexes: MissingIndexes,
        *,
        most_pending: int,
        delivers: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._indexes = indexes
        self._most_pending = most_pending
        self._delivers = delivers
        self._monotonic = monotonic
        self._started_by = monotonic() + _START_SECONDS
        self._backlog = BacklogReader(store)
        self._write = WriteCheck(store)
        self._findings = Refreshed(self._look)

    def start(self) -> None:
        """Begin to look at the store in a thread, so that no probe waits for a slow one."""
        self._findings.start()

    def stop(self) -> None:
        """End that thread."""
        self._findings.stop()

    def _look(self) -> _Findings:
        self._store.ping()
        self._write.run()
        missing = self._indexes.count()
        builds = self._indexes.builds() if missing else {}
        return _Findings(missing, builds, self._backlog.read())

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Return 200 or 503, and the outcome of each check."""
        try:
            found = self._findings.get()
        except StoreError as error:
            log_event(
                logging.WARNING,
                LogEvent.SERVER_NOT_READY,
                logger="tmf683.health",
                message=f"not ready: {error}",
            )
            return 503, {"status": "unavailable", "checks": {"store": error.state}}
        backlog = found.backlog
        late = 0 < self._most_pending < backlog.pending
        checks = {
            "store": "ready",
            "indexes": _index_text(found.missing, found.builds),
            "delivery": self._delivery(backlog.workers, late=late),
        }
        events = {
            "pending": backlog.pending,
            "parked": backlog.parked,
            "suspended": backlog.suspended,
            "workers": backlog.workers,
            "lastWorked": _time(backlog.worked_at),
        }
        status = "unavailable" if late else "ready"
        return 503 if late else 200, {"status": status, "checks": checks, "events": events}

    def _delivery(self, workers: int, *, late: bool) -> str:
        """Return the state of delivery; without a worker requests are answered all the same."""
        if late:
            return "late"
        if not self._delivers:
            return "off"
        if workers:
            return "ready"
        return "starting" if self._monotonic() < self._started_by else "stopped"

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their media type, without those of a store that cannot serve."""
        try:
            found = self._findings.get()
            return self._metrics.text(accept, found.backlog, found.missing)
        except StoreError:
            return self._metrics.text(accept, None)


def _index_text(missing: int, builds: Mapping[str, float | None]) -> str:
    if not missing:
        return "ready"
    parts = [name if done is None else f"{name} {done:.0%}" for name, done in builds.items()]
    return f"{missing} indexes are being built{': ' if parts else ''}{', '.join(parts)}"


def _time(seconds: float) -> str | None:
    """Return seconds since 1970 as a date-time; None for 0, which is never."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
