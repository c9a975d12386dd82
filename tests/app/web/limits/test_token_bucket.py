"""Token buckets: how much a client has saved up, and where that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest

from app.web.limits.token_bucket import BUCKETS, Bucket, Buckets, LocalBuckets, Rate, SharedBuckets
from storage import Store, open_store

RATE = Rate(per_second=2, burst=4)


@pytest.fixture(params=["local", "sqlite", "mongo"])
def buckets(request: pytest.FixtureRequest) -> Iterator[Buckets]:
    if request.param == "local":
        yield LocalBuckets(RATE)
        return
    url = "memory:"
    if request.param == "mongo":
        url = f"{request.getfixturevalue('mongo')}buckets"
    store = open_store(url)
    store.prepare(BUCKETS, ())
    yield SharedBuckets(RATE, store)
    store.close()


def test_a_client_may_save_up_a_burst_and_then_gets_its_rate(buckets: Buckets) -> None:
    assert [buckets.take("saver", 100.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert buckets.take("saver", 100.4) == pytest.approx(0.1)
    assert buckets.take("saver", 100.5) == 0
    assert buckets.take("saver", 100.5) > 0
    assert [buckets.take("saver", 1000.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_one_client_costs_another_nothing(buckets: Buckets) -> None:
    for _ in range(6):
        buckets.take("greedy", 100.0)
    assert buckets.take("modest", 100.0) == 0


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    bucket, wait = Bucket(1, 100.0).take(RATE, 50.0)
    assert (bucket.left, wait) == (0, 0)
    assert bucket.take(RATE, 50.5)[1] == 0


def test_memory_stays_bounded() -> None:
    buckets = LocalBuckets(RATE)
    for number in range(20_000):
        buckets.take(f"client-{number}", 100.0)
    assert len(buckets._buckets) <= 10_000


def test_two_processes_share_what_a_client_has(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('shared')}/store.db"
    stores: list[Store] = [open_store(url) for _ in range(2)]
    stores[0].prepare(BUCKETS, ())
    sides = [SharedBuckets(RATE, store) for store in stores]
    passed: list[float] = []

    def ask(side: SharedBuckets) -> None:
        passed.extend(side.take("one", 100.0) for _ in range(10))

    threads = [Thread(target=ask, args=(side,)) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 4 <= passed.count(0) <= 6  # who meets others again and again passes
    for store in stores:
        store.close()


def test_buckets_that_are_full_again_are_forgotten() -> None:
    store = open_store("memory:")
    store.prepare(BUCKETS, ())
    buckets = SharedBuckets(RATE, store)
    for number in range(1100):
        buckets.take(f"client-{number}", 100.0 + number)
    from storage import Query

    assert (store.find(BUCKETS, Query()).total or 0) < 600
    store.close()
