"""A server that tells of writes: what it tells of, and who delivers because of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import errors
from pymongo.database import Database

from app.events.outbound.delivery_cursors import prepare_cursors
from app.events.outbound.heartbeat import prepare_heartbeats
from app.events.outbound.retry_policy import RetryPolicy
from storage.mongo import MongoStore, change_stream
from storage.mongo.change_stream import ChangeStream
from tests.app.events.test_worker import Listener, deliver, register, write


class Seen:
    """Counts calls, and waits for them."""

    def __init__(self) -> None:
        self.times = 0
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.times += 1
            self._changed.notify_all()

    def wait_for(self, times: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.times >= times, 30)


@pytest.fixture
def store(mongo: str, database: Database[Any]) -> Iterator[MongoStore]:
    if "setName" not in database.client.admin.command("hello"):
        pytest.skip("the MongoDB is no replica set: it has no change streams")
    store = MongoStore(f"{mongo}{database.name}?readPreference=secondaryPreferred")
    store.prepare("things", ())
    yield store
    store.close()


def test_each_write_with_an_event_is_told_and_nothing_else(store: MongoStore) -> None:
    seen = Seen()
    stream = store.watch_events(seen)
    seen.wait_for(1)  # of what was there before
    assert stream.is_open
    writes: list[Callable[[], object]] = [
        lambda: store.insert("things", "a", b'{"id":"a"}', events=[b"{}"]),
        lambda: store.replace("things", "a", b'{"id":"a"}', version=1, events=[b"{}"]),
        lambda: store.delete("things", "a", version=2, events=[b"{}"]),
    ]
    for number, change in enumerate(writes, 1):
        store.insert("things", f"silent-{number}", b'{"id":"x"}')
        store.insert("events/cursors", str(number), b'{"id":"x"}')
        store.replace("events/cursors", str(number), b'{"id":"x"}', version=1)
        change()
        seen.wait_for(1 + number)
        store.last_event()  # moves the event into the log
    store.insert("things", "last", b'{"id":"x"}', events=[b"{}"])
    seen.wait_for(5)
    assert seen.times == 5
    stream.close()
    store.insert("things", "b", b'{"id":"b"}', events=[b"{}"])
    assert seen.times == 5


@pytest.mark.parametrize(
    "error",
    [
        errors.OperationFailure("The $changeStream stage is only supported on replica sets", 40573),
        errors.AutoReconnect("connection closed"),
    ],
)
def test_a_stream_that_is_refused_or_lost_is_opened_again(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(change_stream, "_REFUSED_SECONDS", 0.01)
    monkeypatch.setattr(change_stream, "_LOST_SECONDS", 0.01)
    watch, open_when_refused = Database.watch, []
    streams: list[ChangeStream] = []
    started = threading.Event()

    def refused_twice(self: Database[Any], *stages: Any, **options: Any) -> Any:
        assert started.wait(30)
        open_when_refused.append(streams[0].is_open)
        if len(open_when_refused) < 3:
            raise error
        return watch(self, *stages, **options)

    monkeypatch.setattr(Database, "watch", refused_twice)
    seen = Seen()
    streams.append(store.watch_events(seen))
    started.set()
    seen.wait_for(1)
    assert open_when_refused == [False, False, False]
    assert streams[0].is_open
    streams[0].close()


def test_a_worker_that_hardly_looks_delivers_what_it_is_told_of(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.events.outbound.worker._LOOK_SECONDS", 3600.0)
    prepare_cursors(store)
    prepare_heartbeats(store)
    store.prepare("partyInteraction/partyInteraction", ())
    register(store)
    listener = Listener()
    opened = store.watch_events
    looked = threading.Event()
    watched: list[ChangeStream] = []

    def watch(told: Callable[[], object]) -> ChangeStream:
        watched.append(opened(told))
        return watched[0]

    last_event = store.last_event

    def look(**options: bool) -> int:
        found = last_event(**options)
        if watched and watched[0].is_open:
            looked.set()
        return found

    monkeypatch.setattr(store, "watch_events", watch)
    monkeypatch.setattr(store, "last_event", look)

    def write_once_idle() -> None:
        assert looked.wait(60)
        for _ in range(3):
            before = len(listener.got)
            write(store, 1)
            while len(listener.got) == before:
                if ended.wait(0.01):
                    return

    ended = threading.Event()
    writer = threading.Thread(target=write_once_idle)
    writer.start()
    try:
        # Until a stream is open the worker polls, and afterwards only what it is told wakes it.
        deliver(store, listener, lambda: len(listener.got) == 3, retry=RetryPolicy())
    finally:
        ended.set()
        writer.join()
