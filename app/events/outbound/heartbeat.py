"""Heartbeats of delivery workers, in the store: every server can tell whether one is alive."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from storage import Document, Store, every, json, put, remove

WORKERS = "events/worker"
BEAT_SECONDS = 5.0
_DEAD_SECONDS = 3 * BEAT_SECONDS
_FORGET_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One worker's heartbeat; times are seconds since 1970 by that worker's clock.

    `worked_at` is when it last attempted a delivery, 0 when it has not yet. `restarts` is how often
    the server beside which it runs has started it again.
    """

    id: str
    started_at: float
    seen_at: float
    worked_at: float = 0.0
    restarts: int = 0


def prepare_heartbeats(store: Store) -> None:
    """Create the collection of the heartbeats."""
    store.prepare(WORKERS, ())


def beat(store: Store, heartbeat: Heartbeat) -> None:
    """Store a heartbeat in place of the worker's last one."""
    put(store, WORKERS, heartbeat.id, json.dumps(asdict(heartbeat)))


def end(store: Store, id: str) -> None:
    """Remove the heartbeat of a worker that stops."""
    remove(store, WORKERS, id)


class HeartbeatReader:
    """Finds the workers that are alive, without trusting their clocks.

    A worker lives while its heartbeat changes. One that is seen for the first time lives if the
    clocks agree that its heartbeat is recent.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._seen: dict[str, tuple[int, float]] = {}

    def read(self) -> list[Heartbeat]:
        """Return the heartbeats of the workers that live; those of the long dead are removed."""
        living, seen = [], {}
        for document in every(self._store, WORKERS):
            heartbeat = Heartbeat(**json.loads(document.content))
            changed_at = self._changed_at(document, heartbeat)
            silent = self._monotonic() - changed_at
            if silent > _FORGET_SECONDS:
                remove(self._store, WORKERS, document.id)
                continue
            seen[document.id] = (document.version, changed_at)
            if silent <= _DEAD_SECONDS:
                living.append(heartbeat)
        self._seen = seen
        return living

    def _changed_at(self, document: Document, heartbeat: Heartbeat) -> float:
        known = self._seen.get(document.id)
        if known is not None and known[0] == document.version:
            return known[1]
        recent = known is not None or abs(self._clock() - heartbeat.seen_at) <= _DEAD_SECONDS
        return self._monotonic() - (0.0 if recent else _DEAD_SECONDS + BEAT_SECONDS)
