"""The backlog of delivery, read from the store now and then."""

from __future__ import annotations

import time

from app.events.outbound.delivery_cursors import CURSORS, FAILED
from app.observability.metrics import Backlog
from storage import Comparison, Operator, Query, Store, Window, every, json

_FRESH_SECONDS = 2.0


class BacklogReader:
    """Reads the backlog, and remembers it for a moment: many may ask at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at = 0.0
        self._backlog = Backlog()

    def read(self) -> Backlog:
        """Return the backlog.

        Raises:
            StoreError: the store cannot tell.
        """
        if time.monotonic() - self._read_at > _FRESH_SECONDS:
            self._backlog = self._count()
            self._read_at = time.monotonic()
        return self._backlog

    def _count(self) -> Backlog:
        last = self._store.last_event()
        cursors = [json.loads(document.content) for document in every(self._store, CURSORS)]
        active = [cursor for cursor in cursors if not cursor["suspended"]]
        return Backlog(
            pending=max((max(0, last - cursor["position"]) for cursor in active), default=0),
            waiting=self._failed("waiting"),
            parked=self._failed("parked"),
            suspended=len(cursors) - len(active),
        )

    def _failed(self, state: str) -> int:
        where = Comparison(("state",), Operator.EQ, state)
        return self._store.find(FAILED, Query(where=where, window=Window(0, 0))).total or 0
