"""Whether a database can be written is found out by writing to it."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage.errors import StoreBusy, StoreError, StoreFull, StoreReadOnly
from storage.sqlite.store import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "s.db", busy_seconds=0.2)
    store.prepare("c", ())
    yield store
    store.close()


def versions(store: SqliteStore) -> int:
    with store._connections.use() as connection:
        row = connection.execute("SELECT version FROM document WHERE id = 'written'").fetchone()
    return int(row[0]) if row else 0


def test_one_process_writes_for_all(store: SqliteStore, tmp_path: Path) -> None:
    other = SqliteStore(tmp_path / "s.db")
    for each in (store, other) * 5:
        each.check_write(60)
    assert versions(store) == 1
    other.check_write(0)
    assert versions(store) == 2
    other.close()


def test_a_database_that_another_process_holds_is_locked(
    store: SqliteStore, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy) as caught:
            store.check_write(0)
        assert caught.value.state == "locked"
        holder.execute("ROLLBACK")
    store.check_write(0)


def test_a_database_that_others_write_to_is_not_locked(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.sqlite import writing

    changes = iter(range(100))
    monkeypatch.setattr(writing, "_commits_of_others", lambda _: next(changes))
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        store.check_write(0)


@contextmanager
def file_limit(bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_limit_on_file_sizes_is_a_full_store(store: SqliteStore, tmp_path: Path) -> None:
    limit = (tmp_path / "s.db-wal").stat().st_size
    with file_limit(limit):
        with pytest.raises(StoreFull, match="RLIMIT_FSIZE") as caught:
            store.check_write(0)
        assert caught.value.state == "full"
    store.check_write(0)
    assert versions(store) >= 1


def test_a_full_disk_is_a_full_store(store: SqliteStore) -> None:
    with store._connections.use() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull):
        store.insert("c", "large", b'{"x":"%s"}' % (b"x" * 10_000))


def test_a_database_that_may_only_be_read_is_read_only(store: SqliteStore) -> None:
    with store._connections.use() as connection:
        connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreReadOnly) as caught:
        store.check_write(0)
    assert caught.value.state == "read-only"


def test_a_replaced_database_is_replaced(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "s.db").rename(tmp_path / "moved.db")
    with pytest.raises(StoreError) as caught:
        store.check_write(60)
    assert caught.value.state == "replaced"
