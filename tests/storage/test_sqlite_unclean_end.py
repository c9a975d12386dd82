"""A database that was not closed is checked before it is served."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from storage.errors import StoreError
from storage.sqlite.store import SqliteStore
from storage.store_url import check_after_unclean_end


def left_open(tmp_path: Path) -> Path:
    """Return a copy of a database as a killed process leaves it."""
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare("c", ())
    for number in range(300):
        store.insert("c", str(number), b'{"x":"%s"}' % (b"y" * 300))
    with store._connections.use() as connection:
        connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    store.insert("c", "last", b"{}")
    killed = tmp_path / "killed.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{tmp_path / 's.db'}{suffix}", f"{killed}{suffix}")
    store.close()
    return killed


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[8192:40960] = random.Random(683).randbytes(32768)
    file.write_bytes(content)


def test_a_sound_database_is_served(tmp_path: Path) -> None:
    file = left_open(tmp_path)
    check_after_unclean_end(f"sqlite:///{file}")
    store = SqliteStore(file)
    assert store.get("c", "last").version == 1
    store.close()


def test_a_corrupt_database_is_refused_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    file = left_open(tmp_path)
    damage(file)
    for _ in range(2):  # the next start refuses it too
        with pytest.raises(StoreError, match=r"is corrupt .* put a backup in its place"):
            check_after_unclean_end(f"sqlite:///{file}")


def test_a_database_that_was_closed_is_not_read(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.close()
    (tmp_path / "s.db").write_bytes(b"anything")
    check_after_unclean_end(f"sqlite:///{tmp_path / 's.db'}")
    check_after_unclean_end("memory:")
    check_after_unclean_end(f"sqlite:///{tmp_path / 'absent.db'}")
