"""Write check: whether the database can be written, tested by writing a few bytes."""

from __future__ import annotations

import sqlite3
import time

COLLECTION = "server/health"
_WAIT_MS = 1000
"""Milliseconds without a commit of other writers after which the database counts as locked."""


def check_write(connection: sqlite3.Connection, seconds: float) -> None:
    """Store the time, unless a process did so within so many seconds.

    Waiting for others who write is no failure while their transactions end.

    Raises:
        sqlite3.OperationalError: the database cannot be written.
    """
    row = connection.execute(
        "SELECT content FROM document WHERE collection = ? AND id = 'written'", (COLLECTION,)
    ).fetchone()
    if row is not None and abs(time.time() - float(row[0])) < seconds:
        return
    (busy,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {min(busy, _WAIT_MS)}")
    commits = _commits_of_others(connection)
    try:
        # The collection is not registered, so no total counts the document.
        connection.execute(
            "INSERT INTO document (collection, id, version, content) VALUES (?, 'written', 1, ?)"
            " ON CONFLICT DO UPDATE SET version = version + 1, content = excluded.content",
            (COLLECTION, f"{time.time():.3f}"),
        )
    except sqlite3.OperationalError as error:
        name = error.sqlite_errorname
        if not name.startswith("SQLITE_BUSY") or _commits_of_others(connection) == commits:
            raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {busy}")


def _commits_of_others(connection: sqlite3.Connection) -> int:
    """Return a number that changes when another connection has committed."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)
