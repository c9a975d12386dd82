"""What is SQLite's own: several processes, migrations, plans, failures, kill -9."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storage import (
    Comparison,
    Condition,
    Index,
    Matches,
    Operator,
    Query,
    QueryTooSlow,
    SortKey,
    StoreBusy,
    StoreError,
    StoreUrlError,
    Window,
    open_store,
)
from storage.sqlite import SqliteStore
from storage.sqlite.schema import MIGRATIONS

INDEXES = (
    Index((("s",),)),
    Index((("t",),), instants=frozenset({("t",)})),
    Index((("r", "i"),), True),
)


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def test_two_stores_on_one_file_see_each_other(tmp_path: Path) -> None:
    one, two = (open_store(url(tmp_path / "x" / "s.db")) for _ in range(2))
    one.prepare("c", INDEXES)
    one.insert("c", "a", b'{"id":"a","r":[{"i":"1"}]}')
    assert two.get("c", "a").version == 1
    two.replace("c", "a", b'{"id":"a","r":[{"i":"2"}]}', version=1)
    for value, expected in (("1", 0), ("2", 1)):
        query = Query(Comparison(("r", "i"), Operator.EQ, value))
        assert one.find("c", query).total == expected, "also from a store that knows no index"
    one.close()
    two.close()


def prepare(file: str) -> int:
    store = open_store(f"sqlite:///{file}")
    store.prepare("c", INDEXES)
    store.insert("c", str(os.getpid()) + str(time.time_ns()), b'{"id":"x"}')
    count = store.find("c", Query()).total or 0
    store.close()
    return count


def test_several_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    file = str(tmp_path / "s.db")
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        list(processes.map(prepare, [file] * 4))
    store = open_store(url(Path(file)))
    assert store.find("c", Query()).total == 4
    store.close()


def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match="newer release"):
        open_store(url(file))


def test_a_file_that_is_held_is_busy_and_named(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    store = open_store(url(file), busy_seconds=0.1)
    store.prepare("c", ())
    with sqlite3.connect(file, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match=r"s\.db is locked by another process"):
            store.insert("c", "a", b'{"id":"a"}')
        holder.execute("ROLLBACK")
    store.insert("c", "a", b'{"id":"a"}')
    store.close()


def test_a_batch_waits_once_for_a_file_that_is_held(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    store = open_store(url(file), busy_seconds=0.3)
    store.prepare("c", ())
    statements: list[str] = []
    with store._connections.use() as connection:
        connection.set_trace_callback(statements.append)
    with sqlite3.connect(file, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with store.batch():
            for number in range(5):
                with pytest.raises(StoreBusy):
                    store.insert("c", str(number), b"{}")
        holder.execute("ROLLBACK")
    assert statements.count("BEGIN IMMEDIATE") == 1
    with store.batch():
        store.insert("c", "a", b'{"id":"a"}')
    assert store.find("c", Query()).total == 1
    store.close()


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    file.write_bytes(random.Random(1).randbytes(8192))
    with pytest.raises(StoreError, match="not an SQLite database"):
        open_store(url(file))


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(url(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="no folder"):
        open_store(url(tmp_path / "file" / "s.db"))


def test_a_corrupt_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    store = open_store(url(file))
    store.prepare("c", ())
    for number in range(500):
        store.insert("c", str(number), json.dumps({"id": str(number), "x": "y" * 200}).encode())
    store.close()
    content = bytearray(file.read_bytes())
    content[8192:] = random.Random(1).randbytes(len(content) - 8192)
    file.write_bytes(content)

    def use() -> None:
        broken = open_store(url(file))
        broken.prepare("c", ())
        for number in range(500):
            broken.get("c", str(number))

    with pytest.raises(StoreError, match="corrupt"):
        use()


def pragma(store: SqliteStore, statement: str) -> Any:
    with store._connections.use() as connection:
        return connection.execute(statement).fetchone()[0]


def test_a_full_disk_and_a_read_only_file_are_told(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.prepare("c", ())
    pages = pragma(store, "PRAGMA page_count")
    pragma(store, f"PRAGMA max_page_count = {pages + 1}")

    def fill() -> None:
        for number in range(100):
            store.insert("c", str(number), json.dumps({"id": "x" * 1000}).encode())

    with pytest.raises(StoreError, match="no room left"):
        fill()
    pragma(store, "PRAGMA max_page_count = 100000")
    with store._connections.use() as connection:
        connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="read-only"):
        store.insert("c", "new", b"{}")
    assert store.get("c", "0").version == 1, "what was acknowledged is still there"
    store.close()


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_durability_reaches_the_database(tmp_path: Path, durability: Any, level: int) -> None:
    store = SqliteStore(tmp_path / "s.db", durability=durability)
    assert pragma(store, "PRAGMA synchronous") == level
    assert pragma(store, "PRAGMA journal_mode") == b"wal"
    store.close()


@pytest.mark.parametrize(
    ("where", "sort", "index"),
    [
        (Comparison(("s",), Operator.EQ, "x"), (), "document_by_s"),
        (Matches(("s",), "^abc"), (), "document_by_s"),
        (Comparison(("r", "i"), Operator.EQ, "x"), (), "PRIMARY KEY (hint=? AND value=?)"),
        (Comparison(("id",), Operator.EQ, "x"), (), "collection=? AND id=?"),
        (None, (SortKey(("t",), True, True),), "document_by_t@time"),
        (None, (SortKey(("t",), False, True),), "document_by_t@time"),
        (None, (), "document_newest"),
    ],
    ids=str,
)
def test_queries_use_their_index(
    tmp_path: Path, where: Condition | None, sort: tuple[SortKey, ...], index: str
) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.prepare("c", INDEXES)
    statements: list[str] = []
    with store._connections.use() as connection:
        connection.set_trace_callback(statements.append)
        store.find("c", Query(where, sort, count=False))
        connection.set_trace_callback(None)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statements[0]}").fetchall()
    details = "\n".join(row[3].decode() for row in plan)
    assert index in details, details
    assert "SCAN document\n" not in f"{details}\n", details
    store.close()


def test_an_index_of_an_older_release_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    hint = Index((("t",),), instants=frozenset({("t",)}))
    SqliteStore(file).prepare("c", [hint])
    with sqlite3.connect(file) as connection:
        connection.executescript(
            """
            DROP INDEX "document_by_t@time";
            CREATE INDEX "document_by_t@time" ON document (collection, id);
            PRAGMA user_version = 2;
            """
        )
    store = SqliteStore(file)
    store.prepare("c", [hint])
    assert store.indexes("c") == {hint.name}
    statement = pragma(store, "SELECT sql FROM sqlite_master WHERE name = 'document_by_t@time'")
    assert b"julianday" in statement
    store.close()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/x.db",
        "sqlite:relative.db",
        "mongodb://",
        "mongodb://user:hunter2@host:port/x",
        "mongodb://user:hun/ter2@hunter2@host/x",
        "mongodb+srv://",
        "postgres://h/d",
        "sqlite:///x?y",
    ],
)
def test_a_url_without_a_store_is_told(wrong: str) -> None:
    with pytest.raises(StoreUrlError) as told:
        open_store(wrong)
    assert "ter2" not in str(told.value)
    assert re.search("use |write ", str(told.value))


WRITER = """
import json, sys, threading
from storage import Index, open_store
store = open_store(sys.argv[1])
store.prepare("c", [Index((("r", "i"),), True)])
lock = threading.Lock()
def say(ids):
    with lock:
        sys.stdout.write("".join(f"{id}\\n" for id in ids)); sys.stdout.flush()
def write(thread):
    for number in range(100_000):
        ids = [f"{sys.argv[2]}-{thread}-{number}-{part}" for part in range(3 if thread % 2 else 1)]
        if len(ids) == 1:
            store.insert("c", ids[0], json.dumps({"id": ids[0], "r": [{"i": ids[0]}]}).encode())
        else:
            with store.batch():
                for id in ids:
                    store.insert("c", id, json.dumps({"id": id, "r": [{"i": id}]}).encode())
        say(ids)
for thread in range(4):
    threading.Thread(target=write, args=(thread,)).start()
"""


def test_kill_9_under_load_loses_no_acknowledged_write(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    acknowledged: set[str] = set()
    moments = random.Random(1)
    for round_ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url(file), str(round_)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        first = "".join(writer.stdout.readline() for _ in range(moments.randint(50, 300)))
        writer.send_signal(signal.SIGKILL)
        said = first + writer.stdout.read()
        acknowledged |= {line for line in said.split("\n")[:-1] if line}
        writer.wait()
    assert len(acknowledged) > 100
    store = SqliteStore(file)
    store.prepare("c", [Index((("r", "i"),), True)])
    for id in acknowledged:
        assert json.loads(store.get("c", id).content)["id"] == id
    assert pragma(store, "PRAGMA integrity_check") == b"ok"
    rows = pragma(store, "SELECT count(*) FROM document")
    assert pragma(store, "SELECT documents FROM collection") == rows
    assert pragma(store, "SELECT count(*) FROM element") == rows
    store.close()


def test_many_events_are_forgotten_in_steps(tmp_path: Path) -> None:
    """One long deletion would keep every writer waiting."""
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare("c", ())
    statements: list[str] = []
    with store.batch():
        for number in range(4500):
            store.insert("c", str(number), b"{}", events=[b"{}"])
    with store._connections.use() as connection:
        connection.set_trace_callback(statements.append)
    assert store.prune_events(datetime(2100, 1, 1, tzinfo=UTC)) == 4499
    assert sum(each.startswith("DELETE FROM event") for each in statements) == 3
    assert [each.number for each in store.events(0, 9)] == [4500]
    store.close()


@pytest.mark.parametrize("write", ["alone", "batch", "group"])
@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_is_replaced_or_removed_is_not_written(
    tmp_path: Path, write: str, moved: bool
) -> None:
    file, other = tmp_path / "s.db", tmp_path / "backup.db"
    for each in (file, other):
        made = open_store(url(each))
        made.prepare("c", ())
        made.close()
    store = open_store(url(file))
    store.prepare("c", ())
    store.insert("c", "a", b'{"id":"a"}')
    group = store.group()
    assert group is not None
    if moved:
        other.replace(file)
    else:
        file.unlink()
    says = "was replaced while it was open" if moved else "is gone while it was open"

    def change() -> None:
        if write == "group":
            group.begin(wait=True)
        with store.batch() if write == "batch" else nullcontext():
            store.insert("c", "b", b'{"id":"b"}')

    with pytest.raises(StoreError, match=says):
        change()
    with pytest.raises(StoreError, match=says):
        store.ping()
    store.close()


def test_a_file_that_took_the_place_of_the_first_is_not_read(tmp_path: Path) -> None:
    file, other = tmp_path / "s.db", tmp_path / "backup.db"
    for each in (file, other):
        made = open_store(url(each))
        made.prepare("c", ())
        made.insert("c", each.stem, b"{}")
        made.close()
    store = open_store(url(file))
    other.replace(file)
    assert store.get("c", "s").version == 1
    with ThreadPoolExecutor(1) as pool:  # a thread with a connection of its own
        reading = pool.submit(store.get, "c", "backup")
        with pytest.raises(StoreError, match="was replaced"):
            reading.result()
        again = pool.submit(store.get, "c", "backup")
        with pytest.raises(StoreError, match="was replaced"):
            again.result()
    assert len(store._connections._opened) == 1, "the other file was not even opened"
    store.close()


def test_a_new_file_and_its_folder_are_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "data" / "s.db"
    store = open_store(url(file))
    store.prepare("c", ())
    store.insert("c", "a", b'{"id":"a"}')
    assert file.parent.stat().st_mode & 0o777 == 0o700
    for each in file.parent.iterdir():
        assert each.stat().st_mode & 0o777 == 0o600, each
    store.close()


def test_the_log_stays_bounded_while_reads_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Always one reader is on: each begins before the one before it ends."""
    monkeypatch.setattr("storage.sqlite.connections.LARGEST_LOG", 4 * 1024 * 1024)
    file = tmp_path / "s.db"
    store = open_store(url(file), durability="normal")
    store.prepare("c", ())
    group = store.group()
    assert group is not None
    readers = [sqlite3.connect(file, isolation_level=None) for _ in range(2)]
    wal, largest = file.with_name("s.db-wal"), 0
    content = b'{"id":"x","text":"' + b"x" * 50_000 + b'"}'
    for number in range(600):
        old, new = readers[number % 2], readers[(number + 1) % 2]
        new.execute("BEGIN")
        new.execute("SELECT count(*) FROM document").fetchone()
        if old.in_transaction:
            old.execute("COMMIT")
        group.begin(wait=True)
        with group.joined():
            store.insert("c", str(number), content)
        if number % 5 == 4:  # a moment at which the reader that is on has read all of the log
            new.execute("COMMIT")
        group.commit()
        largest = max(largest, wal.stat().st_size)
    assert largest < 4 * 1024 * 1024
    for reader in readers:
        reader.close()
    store.close()


@pytest.fixture
def full_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """A store whose log is as large as it may become, since somebody reads."""
    monkeypatch.setattr("storage.sqlite.connections.LARGEST_LOG", 1024 * 1024)
    store = open_store(url(tmp_path / "s.db"), query_seconds=5, busy_seconds=1)
    assert isinstance(store, SqliteStore)
    store.prepare("c", ())
    store.insert("c", "a", b'{"id":"a","text":"x"}')
    yield store
    store.close()


def fill(store: SqliteStore, log: Path) -> None:
    number = 0
    while log.stat().st_size < 800_000:
        number += 1
        store.insert("c", str(number), b'{"id":"x","text":"' + b"x" * 50_000 + b'"}')


def test_a_long_read_begins_after_the_log_that_others_keep(
    full_log: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads that overlap without end do not keep the beginning of the log for ever."""
    log, waiting = tmp_path / "s.db-wal", threading.Event()
    monkeypatch.setattr(
        "storage.sqlite.connections.time",
        SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: waiting.set()),
    )
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as first:
        first.execute("BEGIN")
        first.execute("SELECT count(*) FROM document").fetchone()
        fill(full_log, log)
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(full_log.find, "c", Query(window=Window(0, 1)))
            assert waiting.wait(60)
            assert not second.done()
            first.execute("COMMIT")
            assert len(second.result().documents) == 1
    assert log.stat().st_size < 100_000


def test_a_program_that_keeps_the_log_delays_one_read(
    full_log: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()
    slept: list[float] = []
    monkeypatch.setattr(
        "storage.sqlite.connections.time",
        SimpleNamespace(monotonic=lambda: next(clock), sleep=slept.append),
    )
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM document").fetchone()
        fill(full_log, tmp_path / "s.db-wal")
        assert full_log.find("c", Query(window=Window(0, 1))).documents
        assert 0 < len(slept) <= 5
        slept.clear()
        assert full_log.find("c", Query(window=Window(0, 1))).documents
        assert not slept


def test_bounding_the_log_leaves_the_wait_for_other_writers_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.sqlite.connections.LARGEST_LOG", 1)
    store = open_store(url(tmp_path / "s.db"), busy_seconds=7)
    assert isinstance(store, SqliteStore)
    store.prepare("c", ())
    with store.batch():
        store.insert("c", "a", b'{"id":"a"}')
    with store._connections.use() as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 7000
    store.close()


def test_a_query_may_take_no_longer_than_it_states(tmp_path: Path) -> None:
    store = open_store(url(tmp_path / "s.db"))
    store.prepare("c", ())
    with store.batch():
        for number in range(500):
            store.insert("c", str(number), b'{"x":{"y":"z"}}')
    where = Comparison(("x", "y"), Operator.EQ, "a")
    assert store.find("c", Query(where, seconds=60)).total == 0
    with pytest.raises(QueryTooSlow):
        store.find("c", Query(where, seconds=0))
    assert store.find("c", Query(where)).total == 0, "the next query has its time"
    store.close()


def test_triggers_of_another_release_are_replaced(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    store = open_store(url(file))
    store.prepare("c", INDEXES)
    store.close()

    def triggers() -> set[tuple[str, str]]:
        with sqlite3.connect(file) as connection:
            return set(
                connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            )

    ours = triggers()
    (name,) = (name for name, _ in ours if name.endswith("_insert"))
    with sqlite3.connect(file) as connection:
        connection.execute(f"DROP TRIGGER {name}")
        connection.execute(f"CREATE TRIGGER {name} AFTER INSERT ON document BEGIN SELECT 1; END")
    store = open_store(url(file))
    store.prepare("c", INDEXES)
    assert triggers() == ours
    store.insert("c", "a", b'{"id":"a","r":[{"i":"1"}]}')
    assert store.find("c", Query(Comparison(("r", "i"), Operator.EQ, "1"))).total == 1
    store.close()


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ({"r": [{"i": "1"}, {"i": 2}, {"i": 2.5}]}, {"1", 2, 2.5}),
        ({"r": {"i": "1"}}, {"1"}),
        ({"r": [{"i": ["1", "2"]}, {"i": {"x": "3"}}, {"i": None}, {"i": True}]}, {"1", "2"}),
        ({"r": ["text", 5, [{"i": "1"}], {"j": "1"}]}, set()),
        ({"r": "text", "i": "1"}, set()),
        ({"r": None}, set()),
        ({}, set()),
    ],
)
def test_the_element_table_follows_every_change(
    tmp_path: Path, content: dict[str, Any], values: set[Any]
) -> None:
    store = open_store(url(tmp_path / "s.db"))
    store.prepare("c", INDEXES)

    def listed() -> set[Any]:
        with sqlite3.connect(tmp_path / "s.db") as connection:
            return {value for (value,) in connection.execute("SELECT value FROM element")}

    store.insert("c", "a", json.dumps(content).encode())
    assert listed() == values
    store.replace("c", "a", b'{"r":[{"i":"other"}]}', version=1)
    assert listed() == {"other"}
    store.replace("c", "a", json.dumps(content).encode(), version=2)
    assert listed() == values
    store.replace("c", "a", json.dumps(content | {"s": "x"}).encode(), version=3)
    assert listed() == values
    store.delete("c", "a", version=4)
    assert listed() == set()
    store.close()
