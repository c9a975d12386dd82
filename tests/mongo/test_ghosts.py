"""Documents that are created with an event and deleted without one, while events move.

A tombstone that no event needs must not stay: nothing would ever find or remove it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest
from pymongo import MongoClient

from storage import Query, Window
from storage.mongo import MongoStore
from tests.mongo.emulation import FerretStore
from tests.mongo.running import own_ferret_server, own_mongo_server

THREADS = 8
LONGEST_PAUSE = 0.3
"""Seconds between creating and deleting: as long as a mover may take from reading to clearing."""
KEPT = 4


@pytest.fixture(params=["mongo", "ferret"])
def store(request: pytest.FixtureRequest) -> Iterator[MongoStore]:
    running = own_mongo_server if request.param == "mongo" else own_ferret_server
    with running() as server:
        waits = "socketTimeoutMS=120000&serverSelectionTimeoutMS=120000&connectTimeoutMS=120000"
        url = f"{server.url}ghosts?{waits}"
        store = MongoStore(url) if request.param == "mongo" else FerretStore(url)
        yield store
        store.close()


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_deletions_without_events_leave_nothing(
    store: MongoStore, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    times = run(store, 10_000)
    store.last_event()  # tombstones whose events wait are no ghosts
    with capsys.disabled():
        seconds = time.monotonic() - begun
        print(f"\n{times} deletions in {seconds:.0f} s, {left(store)} ghosts")
    check(store, times)


def run(store: MongoStore, times: int) -> int:
    """Create and delete so often, and move events meanwhile; return how often."""
    store.prepare("things", ())
    for number in range(KEPT):
        store.insert("things", f"kept-{number}", b'{"id":"x"}', events=[b"{}"])
    stop = threading.Event()
    failures: list[Exception] = []

    def move() -> None:
        while not stop.is_set():
            store.last_event()

    def write(writer: int) -> None:
        chance = random.Random(writer)
        try:
            for number in range(times // THREADS):
                id = f"{writer}-{number}"
                store.insert("things", id, b'{"id":"x"}', events=[b"{}"])
                time.sleep(chance.random() * LONGEST_PAUSE)
                store.delete("things", id, version=1)
        except Exception as error:
            failures.append(error)

    mover = threading.Thread(target=move)
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(THREADS)]
    for thread in (mover, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    mover.join()
    assert failures == []
    return times // THREADS * THREADS


def left(store: MongoStore) -> int:
    """Return how many envelopes are there beside those of documents."""
    client: MongoClient[dict[str, object]] = store.database.client
    return client[store.database.name]["things"].count_documents({}) - KEPT


def check(store: MongoStore, times: int) -> None:
    assert store.last_event() == times + KEPT
    assert left(store) == 0
    page = store.find("things", Query(window=Window(0, 1)))
    assert page.total == KEPT
