"""The write-ahead log is moved into the database beside the commits, and begins anew."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.sqlite import checkpoints
from storage.sqlite.checkpoints import AUTOMATIC_FRAMES, Moved
from storage.sqlite.store import SqliteStore

CONTENT = b'{"id":"x","text":"' + b"x" * 10_000 + b'"}'
EVERY = 5
COMMITS = 2_000
SALT = slice(16, 24)
"""What the log's header has that differs whenever it begins anew (SQLite's file format, §4.1)."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    monkeypatch.setattr(checkpoints, "_COMMITS", EVERY)
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare("c", ())
    yield store
    store.close()


@pytest.fixture
def write(store: SqliteStore) -> Callable[[int], None]:
    group = store.group()
    assert group is not None

    def write(number: int) -> None:
        group.begin(wait=True)
        with group.joined():
            store.insert("c", str(number), CONTENT)
        group.commit()

    return write


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("checkpoint")]


def test_the_log_begins_anew_before_a_commit_has_to_move_it(
    store: SqliteStore, write: Callable[[int], None], tmp_path: Path
) -> None:
    log, salts = tmp_path / "s.db-wal", set[bytes]()
    for number in range(COMMITS):
        write(number)
        with log.open("rb") as file:
            salts.add(file.read(32)[SALT])
        if len(salts) > 3:
            break
    assert len(salts) > 3
    assert log.stat().st_size < AUTOMATIC_FRAMES * 4096


def test_commits_go_on_while_a_checkpoint_is_made(
    store: SqliteStore, write: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, real = threading.Event(), threading.Event(), checkpoints.checkpoint

    def slow(connection: sqlite3.Connection) -> Moved:
        begun.set()
        may_end.wait(60)
        return real(connection)

    monkeypatch.setattr(checkpoints, "checkpoint", slow)
    for number in range(10 * EVERY):
        write(number)
    assert begun.wait(60)
    write(1000)
    assert store.get("c", "1000").content == CONTENT
    may_end.set()


def test_the_thread_ends_with_the_store(store: SqliteStore, write: Callable[[int], None]) -> None:
    for number in range(2 * EVERY):
        write(number)
    assert threads()
    store.close()
    assert not threads()


def test_a_checkpoint_that_fails_stops_no_commit(
    store: SqliteStore, write: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def execute(self, statement: str) -> None:
            raise sqlite3.OperationalError("disk I/O error")

    real = checkpoints.checkpoint
    monkeypatch.setattr(checkpoints, "checkpoint", lambda _: real(Failing()))  # type: ignore[arg-type]
    for number in range(10 * EVERY):
        write(number)
    assert store.get("c", str(10 * EVERY - 1)).content == CONTENT


def test_another_file_in_the_place_of_the_first_is_left_alone(
    store: SqliteStore, write: Callable[[int], None], tmp_path: Path
) -> None:
    for number in range(EVERY - 1):
        write(number)
    group = store.group()
    assert group is not None
    group.begin(wait=True)
    (tmp_path / "s.db").rename(tmp_path / "moved.db")
    (tmp_path / "s.db").touch()
    group.commit()  # the one behind which a checkpoint is due
    store.close()
    assert not threads()
    assert (tmp_path / "s.db").stat().st_size == 0
