"""Retention: how long the event log keeps events, and how many bytes of them.

Events are removed once they are older than the retention time, except those that an active
subscription has yet to receive. Beyond the size bound the oldest are removed, delivered or not.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.events.outbound.delivery_cursors import DeliveryCursor
from app.observability.delivery_reports import DeliveryReports
from storage import Store

_BATCH = 500
_BATCHES_AT_ONCE = 200
_STEP_SECONDS = 5.0
_DISTRUST_SECONDS = 3600.0
_EVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long events are kept, and the most bytes of the event log."""

    hours: float = 72.0
    megabytes: int = 1024


class Retention:
    """Removes events that need not be kept any more; used by one thread at a time.

    After a step of the wall clock nothing is removed by age for an hour, so that there is time to
    set it right.
    """

    def __init__(
        self,
        store: Store,
        policy: RetentionPolicy,
        reports: DeliveryReports,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._policy = policy
        self._reports = reports
        self._clock = clock
        self._monotonic = monotonic
        self._offset = clock() - monotonic()
        self._distrusted_until = -_DISTRUST_SECONDS
        self._size = LogSize(store)

    def prune(self, cursors: Iterable[DeliveryCursor]) -> int:
        """Remove what need not be kept; return how many events those were."""
        removed = 0
        self._watch_clock()
        if self._monotonic() >= self._distrusted_until:
            now = datetime.fromtimestamp(self._clock(), UTC)
            before = now - timedelta(hours=self._policy.hours)
            active = [each.position for each in cursors if not each.suspended]
            removed += self._store.prune_events(before, through=min(active, default=None))
        through = self._size.excess(self._policy.megabytes * 1_000_000)
        if through is not None:
            removed += self._store.prune_events(_EVER, through=through)
        return removed

    def _watch_clock(self) -> None:
        offset = self._clock() - self._monotonic()
        step = offset - self._offset
        self._offset = offset
        if abs(step) > _STEP_SECONDS:
            self._reports.clock_stepped(step)
            self._distrusted_until = self._monotonic() + _DISTRUST_SECONDS


class LogSize:
    """The bytes of the event log, known from reading every event once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_to = 0
        self._bytes = 0
        self._batches: deque[tuple[int, int]] = deque()

    def excess(self, limit: int) -> int | None:
        """Return the number up to which events are to go so that the rest is within a limit.

        None when all of it is. Of a long log, a part is read with each call.
        """
        for _ in range(_BATCHES_AT_ONCE):
            events = self._store.events(self._read_to, _BATCH)
            if not events:
                break
            self._read_to = events[-1].number
            size = sum(len(each.content) for each in events)
            self._batches.append((self._read_to, size))
            self._bytes += size
        oldest = self._store.events(0, 1)
        while self._batches and (not oldest or self._batches[0][0] < oldest[0].number):
            self._bytes -= self._batches.popleft()[1]
        through = None
        while self._bytes > limit and self._batches:
            through, size = self._batches.popleft()
            self._bytes -= size
        return through
