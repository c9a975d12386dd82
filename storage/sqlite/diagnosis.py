"""The state of a SQLite store, read without changing it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from storage.diagnosis import Check, State, index_check, size_check
from storage.errors import StoreError
from storage.port import Index
from storage.sqlite.file_identity import check_identity
from storage.sqlite.schema import MIGRATIONS

_LARGEST_SHOWN = 3
_LARGE_LOG = 256 * 1024 * 1024
"""Bytes of a write-ahead log that tell of a reader or writer that does not end."""
_LITTLE_SPACE = 512 * 1024 * 1024


def diagnose(file: Path, wanted: Mapping[str, Sequence[Index]]) -> Iterator[Check]:
    """Yield what is found in a database file; `wanted` are the indexes of each collection.

    Raises:
        StoreError: it cannot be read, or took the place of a file that is in use.
    """
    check_identity(file)  # SQLite would apply the log of that one to it
    try:
        with closing(sqlite3.connect(file, timeout=5.0)) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield Check("server", State.OK, f"SQLite {sqlite3.sqlite_version}")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            yield _schema(version)
            yield _journal(connection, file)
            yield _integrity(connection)
            yield _space(file)
            if version == len(MIGRATIONS):
                yield from _content(connection, wanted)
    except sqlite3.Error as error:
        raise StoreError(f"store {file}: {error}") from error


def _schema(version: int) -> Check:
    if version == len(MIGRATIONS):
        return Check("schema", State.OK, f"version {version}")
    if version > len(MIGRATIONS):
        text = f"version {version} is of a newer release; this one knows {len(MIGRATIONS)}"
        return Check("schema", State.PROBLEM, text)
    text = f"version {version}; the next start of a server brings it to {len(MIGRATIONS)}"
    return Check("schema", State.WARNING, text)


def _journal(connection: sqlite3.Connection, file: Path) -> Check:
    mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    log = Path(f"{file}-wal")
    size = log.stat().st_size if log.exists() else 0
    if mode != "wal":
        text = f"the journal is {mode}; servers need WAL, which a local file system allows"
        return Check("journal", State.PROBLEM, text)
    state = State.WARNING if size > _LARGE_LOG else State.OK
    return Check("journal", state, f"WAL with {size:,} bytes")


def _integrity(connection: sqlite3.Connection) -> Check:
    found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    if found == ["ok"]:
        return Check("integrity", State.OK, "quick_check finds nothing")
    text = f"{'; '.join(found)}; restore a backup (`tmf683 import`)"
    return Check("integrity", State.PROBLEM, text)


def _space(file: Path) -> Check:
    size, free = file.stat().st_size, shutil.disk_usage(file.parent).free
    state = State.WARNING if free < max(_LITTLE_SPACE, size // 10) else State.OK
    return Check("space", state, f"{size:,} bytes used, {free:,} free on the disk")


def _content(
    connection: sqlite3.Connection, wanted: Mapping[str, Sequence[Index]]
) -> Iterator[Check]:
    connection.execute("BEGIN")  # what follows is of one moment
    hints: dict[str, set[str]] = {}
    for collection, name in connection.execute("SELECT collection, name FROM hint"):
        hints.setdefault(collection, set()).add(name)
    for collection, indexes in wanted.items():
        if indexes:
            yield index_check(collection, indexes, hints.get(collection, set()))
    counted = dict(
        connection.execute("SELECT collection, count(*) FROM document GROUP BY collection")
    )
    stated = dict(connection.execute("SELECT name, documents FROM collection"))
    both = sorted(counted.keys() | stated)
    wrong = [name for name in both if counted.get(name, 0) != stated.get(name, 0)]
    if wrong:
        text = f"totals are wrong: {', '.join(wrong)}; export and import correct them"
        yield Check("totals", State.PROBLEM, text)
    else:
        yield Check("totals", State.OK, f"{sum(counted.values()):,} documents, as counted")
    (events,) = connection.execute("SELECT count(*) FROM event").fetchone()
    yield Check("log", State.OK, f"{events:,} events are kept")
    rows = connection.execute(
        "SELECT collection, id, length(CAST(content AS BLOB)) FROM document"
        " ORDER BY 3 DESC LIMIT ?",
        (_LARGEST_SHOWN,),
    )
    yield size_check([(str(name), str(id), int(size)) for name, id, size in rows])
