"""Tombstones, moving of events and pruning on a MongoDB server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import NetworkTimeout

from storage import DocumentExists, DocumentNotFound, Query, StoreError, Window
from storage.mongo import MongoStore, event_log
from storage.mongo.lease import Lease
from storage.mongo.patterns import as_pcre


@pytest.fixture
def store(mongo: str, database: Database[Any]) -> Iterator[MongoStore]:
    store = MongoStore(f"{mongo}{database.name}")
    store.prepare("things", ())
    yield store
    store.close()


def test_deleting_without_an_event_while_events_move_leaves_nothing(
    store: MongoStore, database: Database[Any]
) -> None:
    stop = threading.Event()

    def move() -> None:
        while not stop.is_set():
            store.last_event()

    def write(writer: int) -> None:
        for number in range(20):
            id = f"{writer}-{number}"
            store.insert("things", id, b'{"id":"x"}', events=[b"{}"])
            store.delete("things", id, version=1)

    mover = threading.Thread(target=move)
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in (mover, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    mover.join()
    assert store.last_event() == 80
    assert database["things"].count_documents({}) == 0
    assert store.find("things", Query(window=Window(0, 1))).total == 0


def test_an_envelope_that_changed_since_it_was_read_keeps_its_events(
    store: MongoStore, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mover reads, a delete without events comes in between, the mover clears."""
    store.insert("things", "a", b'{"id":"a"}', events=[b"{}"])
    append = store._log._append

    def delete_first(found: list[tuple[str, str]]) -> None:
        monkeypatch.undo()
        store.delete("things", "a", version=1)
        append(found)

    monkeypatch.setattr(store._log, "_append", delete_first)
    assert store.last_event() == 1
    assert store.last_event() == 1
    assert database["things"].count_documents({}) == 0


def test_tombstones_without_events_are_removed_at_the_start(
    store: MongoStore, database: Database[Any]
) -> None:
    database["things"].insert_many([{"_id": each, "v": 1, "n": 1, "x": True} for each in "abc"])
    assert store.insert("things", "a", b'{"id":"a"}').version == 1
    store.prepare("things", ())
    assert [each["_id"] for each in database["things"].find()] == ["a"]
    with pytest.raises(DocumentNotFound):
        store.get("things", "b")


def test_an_insertion_that_the_driver_repeats_is_one(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver repeats what was interrupted; not every server knows the repetition as one."""
    insert_one = Collection.insert_one

    def repeated(self: Collection[Any], envelope: Any, **options: Any) -> Any:
        if self.name == "things":
            insert_one(self, envelope, **options)
        return insert_one(self, envelope, **options)

    monkeypatch.setattr(Collection, "insert_one", repeated)
    assert store.insert("things", "a", b'{"id":"a"}', events=[b"{}"]).version == 1
    assert store.last_event() == 1
    with pytest.raises(DocumentExists):
        store.insert("things", "a", b'{"id":"a"}')


def test_events_move_without_a_reader(
    store: MongoStore, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "MOVED_AT_ONCE", 50)
    for number in range(50):
        store.insert("things", str(number), b'{"id":"x"}', events=[b"{}"])
    store._mover.close()
    assert database["events.log"].count_documents({}) == 50
    assert database["things"].count_documents({"p": True}) == 0


def test_a_database_that_is_too_slow_for_a_round_gets_smaller_ones(
    store: MongoStore, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[int] = []
    insert_many = Collection.insert_many

    def slow(self: Collection[Any], rows: Any, **options: Any) -> Any:
        rounds.append(len(rows))
        if len(rows) > 12:
            raise NetworkTimeout("timed out")
        return insert_many(self, rows, **options)

    for number in range(60):
        store.insert("things", str(number), b'{"id":"x"}', events=[b"{}"])
    monkeypatch.setattr(event_log, "MOVED_AT_ONCE", 40)
    monkeypatch.setattr(Collection, "insert_many", slow)
    for _ in range(3):
        with suppress(StoreError):
            store.last_event()
    assert rounds == [40, 20, *[10] * 6]
    assert database["events.log"].count_documents({}) == 60
    assert database["things"].count_documents({"p": True}) == 0


def test_what_the_server_keeps_for_itself_is_not_searched_for_events(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each search is a request to the server, between a write and its delivery."""
    for collection in ("events/lane", "limits/buckets"):
        store.prepare(collection, ())
    searched: list[str] = []
    waiting = store._log._waiting

    def noted(collection: Collection[Any], where: Any) -> Any:
        searched.append(collection.name)
        return waiting(collection, where)

    monkeypatch.setattr(store._log, "_waiting", noted)
    store.last_event()
    assert searched == ["things"]


def test_looking_at_the_log_moves_nothing(store: MongoStore, database: Database[Any]) -> None:
    store.insert("things", "a", b'{"id":"a"}', events=[b"{}"])
    assert store.last_event(collect=False) == 0
    assert database["things"].count_documents({"p": True}) == 1
    assert store.last_event() == 1


def test_one_process_moves_and_prunes(
    mongo: str, store: MongoStore, database: Database[Any]
) -> None:
    store.insert("things", "a", b'{"id":"a"}', events=[b"{}", b"{}"])
    assert store.last_event() == 2
    later = datetime(2100, 1, 1, tzinfo=UTC)
    assert store.prune_events(later) == 1
    store.insert("things", "b", b'{"id":"b"}', events=[b"{}"])
    assert store.last_event() == 3
    other = MongoStore(f"{mongo}{database.name}")
    try:
        other.prepare("things", ())
        assert other.prune_events(later) == 0
        store.close()
        assert other.prune_events(later) == 1
    finally:
        other.close()


def test_two_servers_that_write_and_move_log_each_event_once(
    mongo: str, store: MongoStore, database: Database[Any]
) -> None:
    other = MongoStore(f"{mongo}{database.name}")
    other.prepare("things", ())

    def work(server: MongoStore, name: str) -> None:
        for number in range(10):
            id = f"{name}-{number}"
            server.insert("things", id, b'{"id":"x"}', events=[f'"{id} 1"'.encode()])
            server.replace("things", id, b"{}", version=1, events=[f'"{id} 2"'.encode()])
            server._log.move_of(server._collection("things"), id)  # without the mover's lease

    threads = [
        threading.Thread(target=work, args=(server, name))
        for server, name in ((store, "a"), (other, "b"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.last_event() == 40
    events = store.events(0, 100)
    assert [each.number for each in events] == list(range(1, 41))
    told = [each.content.decode().strip('"') for each in events]
    for name in "ab":
        wanted = [f"{name}-{number} {step}" for number in range(10) for step in (1, 2)]
        assert [each for each in told if each.startswith(name)] == wanted
    other.close()


def test_a_lease_is_taken_over_when_its_beat_stands_still(database: Database[Any]) -> None:
    now = 0.0
    first = Lease(database, "work", seconds=10, clock=lambda: now)
    second = Lease(database, "work", seconds=10, clock=lambda: now)
    assert first.acquire()
    assert not second.acquire()
    now = 9.0
    assert first.acquire()
    assert not second.acquire(), "the beat went on"
    now = 20.0
    assert second.acquire(), "the holder stopped"
    assert not first.acquire()
    second.release()
    assert first.acquire()


@pytest.mark.parametrize(
    ("pattern", "pcre"),
    [
        ("a$", r"a\z"),
        (r"a\$", r"a\$"),
        (r"\v", r"\x0b"),
        (r"[\v]", r"[\x0b]"),
        (r"\s", r"[\t\n\f\r ]"),
        (r"[\S]", r"[\S\x0b]"),
        (r"\Qa.b\E$", r"a\.b\z"),
        ("(?m)a$", "(?m)a$"),
        (r"\(?ma$", r"\(?ma\z"),
        ("(?m:a$)b$", r"(?m:a$)b\z"),
        ("((?m)a$)b$", r"((?m)a$)b\z"),
        ("(?m)^a", r"(?m)(?:^|(?<=\n))a"),
        ("(?-m)a$", r"(?-m)a\z"),
        ("a{,5}", r"a\{,5}"),
        ("a{1,5}", "a{1,5}"),
        ("[$^{]", "[$^{]"),
    ],
)
def test_a_pattern_means_in_pcre_what_it_means_in_re2(pattern: str, pcre: str) -> None:
    assert as_pcre(pattern) == pcre
