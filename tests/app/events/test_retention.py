"""How long events are kept, whatever the clock does, and how many bytes of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.events.outbound.delivery_cursors import DeliveryCursor
from app.events.outbound.retention import Retention, RetentionPolicy
from app.observability.delivery_reports import DeliveryReports
from storage.sqlite.store import SqliteStore

HOUR = 3600.0
DAY = 24 * HOUR


class Clocks:
    """The two clocks of a machine: steps move the wall clock alone."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.monotonic = 1000.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr("storage.sqlite.store.time.time", lambda: clocks.wall)
    return clocks


@pytest.fixture
def store(tmp_path: Path, clocks: Clocks) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare("c", ())
    yield store
    store.close()


def retention(store: SqliteStore, clocks: Clocks, *, megabytes: int = 1024) -> Retention:
    return Retention(
        store,
        RetentionPolicy(hours=72, megabytes=megabytes),
        DeliveryReports(),
        clock=lambda: clocks.wall,
        monotonic=lambda: clocks.monotonic,
    )


def write(store: SqliteStore, events: int, size: int = 10) -> None:
    for _ in range(events):
        number = store.last_event()
        store.insert("c", f"{number}", b"{}", events=[b'{"x":"%s"}' % (b"x" * size)])


def numbers(store: SqliteStore) -> list[int]:
    return [each.number for each in store.events(0, 100_000)]


def cursor(position: int, *, suspended: str = "") -> DeliveryCursor:
    return DeliveryCursor("hub/x", position, suspended=suspended)


def test_events_go_once_they_are_older_than_the_retention_time(
    store: SqliteStore, clocks: Clocks
) -> None:
    kept = retention(store, clocks)
    write(store, 5)
    clocks.pass_(71 * HOUR)
    write(store, 5)
    assert kept.prune([]) == 0
    clocks.pass_(2 * HOUR)
    assert kept.prune([]) == 5
    assert numbers(store) == [6, 7, 8, 9, 10]


def test_what_an_active_subscription_has_yet_to_receive_is_kept(
    store: SqliteStore, clocks: Clocks
) -> None:
    kept = retention(store, clocks)
    write(store, 10)
    clocks.pass_(30 * DAY)
    write(store, 1)
    assert kept.prune([cursor(4), cursor(8), cursor(1, suspended="410")]) == 4
    assert numbers(store) == list(range(5, 12))
    assert kept.prune([cursor(8, suspended="410")]) == 6


@pytest.mark.parametrize("step", [30 * DAY, -30 * DAY, 6.0])
def test_a_step_of_the_clock_removes_nothing_and_is_logged(
    store: SqliteStore, clocks: Clocks, caplog: pytest.LogCaptureFixture, step: float
) -> None:
    caplog.set_level(logging.WARNING)
    kept = retention(store, clocks)
    write(store, 30)
    clocks.pass_(60)
    assert kept.prune([]) == 0
    clocks.wall += step
    for _ in range(10):
        clocks.pass_(60)
        assert kept.prune([]) == 0
    clocks.wall -= step
    clocks.pass_(60)
    assert kept.prune([]) == 0
    clocks.pass_(2 * HOUR)
    assert kept.prune([]) == 0, "the clock was set right, and the events are young"
    steps = [record.fields["seconds"] for record in caplog.records]  # type: ignore[attr-defined]
    assert steps == [step, -step]
    clocks.pass_(72 * HOUR)
    assert kept.prune([]) == 29


def test_a_worker_that_starts_while_the_clock_is_wrong_keeps_what_is_not_delivered(
    store: SqliteStore, clocks: Clocks
) -> None:
    write(store, 30)
    clocks.wall += 30 * DAY
    kept = retention(store, clocks)
    assert kept.prune([cursor(3)]) == 3
    assert numbers(store)[0] == 4


@pytest.mark.parametrize("position", [0, 1000])
def test_the_log_is_bounded_in_bytes_delivered_or_not(
    store: SqliteStore, clocks: Clocks, position: int
) -> None:
    kept = retention(store, clocks, megabytes=1)
    with store.batch():
        write(store, 3000, size=1000)
    removed = kept.prune([cursor(position)])
    assert 2000 <= removed <= 2500
    assert numbers(store)[-1] == 3000
    assert kept.prune([cursor(position)]) == 0
    with store.batch():
        write(store, 1500, size=1000)
    assert kept.prune([cursor(position)]) >= 1000
    assert sum(len(each.content) for each in store.events(0, 100_000)) <= 1_000_000


def test_events_that_others_removed_do_not_count(store: SqliteStore, clocks: Clocks) -> None:
    first, second = (retention(store, clocks, megabytes=1) for _ in range(2))
    with store.batch():
        write(store, 1500, size=1000)
    assert first.prune([]) > 0
    with store.batch():
        write(store, 200, size=1000)
    assert second.prune([]) == first.prune([]) == 0
