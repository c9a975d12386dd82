"""The backlog of event delivery and the live workers, read from the store at a limited rate."""

from __future__ import annotations

import time
from threading import Lock

from app.events.outbound.delivery_cursors import read_cursors
from app.events.outbound.failed_deliveries import FAILED
from app.events.outbound.heartbeat import HeartbeatReader
from app.observability.metrics import Backlog
from storage import Comparison, Operator, Query, Store, Window

_FRESH_SECONDS = 2.0


class BacklogReader:
    """Reads the backlog at most once in two seconds, however often it is asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heartbeats = HeartbeatReader(store)
        self._read_at = 0.0
        self._backlog = Backlog()
        self._reading = Lock()

    def read(self) -> Backlog:
        """Return the backlog.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._reading:
            if time.monotonic() - self._read_at > _FRESH_SECONDS:
                self._backlog = self._count()
                self._read_at = time.monotonic()
            return self._backlog

    def _count(self) -> Backlog:
        last = self._store.last_event(collect=False)
        cursors = read_cursors(self._store)
        workers = self._heartbeats.read()
        return Backlog(
            pending=max((max(0, last - cursor.position) for cursor in cursors), default=0),
            waiting=self._failed("waiting"),
            parked=self._failed("parked"),
            suspended=sum(1 for cursor in cursors if cursor.suspended),
            workers=len(workers),
            seen_at=max((each.seen_at for each in workers), default=0.0),
            worked_at=max((each.worked_at for each in workers), default=0.0),
            restarts=sum(each.restarts for each in workers),
        )

    def _failed(self, state: str) -> int:
        where = Comparison(("state",), Operator.EQ, state)
        return self._store.find(FAILED, Query(where=where, window=Window(0, 0))).total or 0
