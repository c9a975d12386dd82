"""A database file that is replaced: who has it open, and who comes later, agree on which it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage.sqlite import FileReplaced, SqliteStore
from storage.sqlite.diagnosis import diagnose
from storage.store_url import check_after_unclean_end, held_file

_LEAVE_LOG = """
import os, sys
from pathlib import Path
from storage.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
store.prepare("c", ())
for each in range(20):
    store.insert("c", str(each), b"{}")
os._exit(9)
"""


@contextmanager
def written(file: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(file)) as store:
        store.prepare("c", ())
        store.insert("c", "1", b"{}")
        yield store


@pytest.fixture
def log_left(tmp_path: Path) -> Path:
    """A database whose only process was killed, with changes in its write-ahead log."""
    file = tmp_path / "s.db"
    command = [sys.executable, "-c", _LEAVE_LOG, str(file)]
    assert subprocess.run(command, check=False).returncode == 9
    assert log_of(file).stat().st_size > 0
    return file


def log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def other_at(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE other (x)")


def put_nothing(file: Path) -> None:
    """Leave the name free."""


def put_empty(file: Path) -> None:
    file.touch()


@pytest.mark.parametrize("put", [other_at, put_nothing, put_empty])
def test_who_opens_a_replaced_file_is_refused_and_the_changes_stay(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    file, aside, other = tmp_path / "s.db", tmp_path / "aside.db", tmp_path / "other.db"
    put(other)
    with written(file):
        file.rename(aside)
        if other.exists():
            other.rename(file)
        there = file.exists()
        for opens in (SqliteStore, check_after_unclean_end_of, diagnosed):
            with pytest.raises(FileReplaced, match="while other processes have it open"):
                opens(file)
        assert file.exists() == there
        aside.replace(file)
        with closing(SqliteStore(file)) as again:
            assert again.get("c", "1").content == b"{}"


def check_after_unclean_end_of(file: Path) -> None:
    check_after_unclean_end(f"sqlite:///{file}")


def diagnosed(file: Path) -> None:
    list(diagnose(file, {}))


def test_a_file_may_be_replaced_once_nobody_has_it_open(tmp_path: Path) -> None:
    file, other = tmp_path / "s.db", tmp_path / "other.db"
    with written(file):
        pass
    with written(other) as store:
        store.insert("c", "2", b"{}")
    other.replace(file)
    with closing(SqliteStore(file)) as store:
        assert store.get("c", "2").id == "2"


def test_a_server_whose_processes_have_ended_still_holds_its_file(tmp_path: Path) -> None:
    file, other = tmp_path / "s.db", tmp_path / "other.db"
    with written(file):
        pass
    other_at(other)
    with held_file(f"sqlite:///{file}"):
        other.replace(file)
        with pytest.raises(FileReplaced):
            SqliteStore(file)


@pytest.mark.parametrize("put", [other_at, put_nothing, put_empty])
def test_a_log_that_was_left_is_not_applied_to_another_file(
    log_left: Path, put: Callable[[Path], None]
) -> None:
    aside, other = log_left.with_name("aside.db"), log_left.with_name("other.db")
    log = log_of(log_left).read_bytes()
    log_left.rename(aside)
    put(other)  # SQLite removes the log that it finds beside a new file
    if other.exists():
        other.rename(log_left)
    for opens in (SqliteStore, check_after_unclean_end_of, diagnosed):
        with pytest.raises(FileReplaced, match=r"not the file that s\.db-wal belongs to"):
            opens(log_left)
    assert log_of(log_left).read_bytes() == log
    aside.replace(log_left)
    with closing(SqliteStore(log_left)) as store:
        assert store.get("c", "19").id == "19"


def test_another_file_is_opened_once_the_log_is_moved_away(log_left: Path) -> None:
    log_left.unlink()
    log_of(log_left).rename(log_left.with_name("aside-wal"))
    with written(log_left) as store:
        assert store.get("c", "1").id == "1"


def test_a_copy_of_all_files_is_opened(log_left: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for each in log_left.parent.glob("s.db*"):
        shutil.copy(each, copy)
    with closing(SqliteStore(copy / "s.db")) as store:
        assert store.get("c", "19").id == "19"


def test_a_symbolic_link_is_the_file_it_leads_to(tmp_path: Path) -> None:
    file, link = tmp_path / "s.db", tmp_path / "link.db"
    link.symlink_to(file)
    with written(file):
        with closing(SqliteStore(link)) as same:
            assert same.get("c", "1").id == "1"
        file.rename(tmp_path / "aside.db")
        with pytest.raises(FileReplaced):
            SqliteStore(link)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_room_for_a_lock_file_is_no_obstacle(tmp_path: Path) -> None:
    with written(tmp_path / "s.db"):
        pass
    (tmp_path / "s.db-lock").unlink()
    tmp_path.chmod(0o500)
    check_after_unclean_end_of(tmp_path / "s.db")


def test_files_are_closed_with_the_store(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with written(tmp_path / "s.db"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before
