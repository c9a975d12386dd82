"""What `/health/ready` says of the store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from app.events.outbound.delivery_cursors import prepare_cursors
from app.events.outbound.heartbeat import Heartbeat, beat, prepare_heartbeats
from app.observability.metrics import Metrics
from app.observability.missing_indexes import MissingIndexes
from app.web.health import Health
from app.web.write_check import SECONDS, WriteCheck
from storage import StoreBusy, StoreError, StoreFull, StoreReadOnly
from storage.sqlite.store import SqliteStore


class Store(SqliteStore):
    """A store whose check can be told how to end."""

    error: StoreError | None = None
    checks = 0

    def check_write(self, seconds: float) -> None:
        self.checks += 1
        if self.error is not None:
            raise self.error
        super().check_write(seconds)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "s.db")
    prepare_cursors(store)
    prepare_heartbeats(store)
    return store


def health(store: Store, *, delivers: bool = True, now: float = 0.0) -> Health:
    times = iter([0.0, *[now] * 99])
    return Health(
        store,
        Metrics(),
        MissingIndexes(store, {}),
        most_pending=0,
        delivers=delivers,
        monotonic=lambda: next(times),
    )


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (StoreBusy("x"), "locked"),
        (StoreFull("x"), "full"),
        (StoreReadOnly("x"), "read-only"),
        (StoreError("x"), "unavailable"),
    ],
)
def test_a_store_that_cannot_be_written_makes_a_server_not_ready(
    store: Store, error: StoreError, state: str
) -> None:
    assert health(store).ready()[0] == 200
    store.error = error
    status, answer = health(store).ready()
    assert status == 503
    assert answer["checks"]["store"] == state


def test_the_store_is_written_at_most_every_few_seconds(store: Store) -> None:
    now = [100.0]
    check = WriteCheck(store, monotonic=lambda: now[0])
    store.error = StoreFull("x")
    for _ in range(20):
        with pytest.raises(StoreFull):
            check.run()
    assert store.checks == 1
    now[0] += SECONDS
    store.error = None
    for _ in range(20):
        check.run()
    assert store.checks == 2


def test_health_says_whether_a_delivery_worker_lives(store: Store) -> None:
    def delivery(**options: Any) -> str:
        status, answer = health(store, **options).ready()
        assert status == 200
        return str(answer["checks"]["delivery"])

    assert delivery(delivers=False) == "off"
    assert delivery(now=1) == "starting"
    assert delivery(now=1000) == "stopped"
    beat(store, Heartbeat("dead", time.time() - 1000, time.time() - 1000))
    assert delivery(now=1000) == "stopped"
    beat(store, Heartbeat("living", time.time(), time.time()))
    assert delivery(now=1000) == "ready"
