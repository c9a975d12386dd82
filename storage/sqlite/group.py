"""Group commit on a connection of its own."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager

from storage.errors import StoreBusy
from storage.sqlite.checkpoints import AUTOMATIC_FRAMES
from storage.sqlite.connections import Connections, commit, roll_back


class SqliteGroup:
    """`storage.port.Group` on one SQLite file."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._opened: sqlite3.Connection | None = None
        self._seconds: float | None = None

    def begin(self, *, wait: bool) -> bool:
        """See `Group.begin`."""
        seconds = self._connections.busy_seconds if wait else 0
        try:
            with self._connections.explained():
                self._connections.check_file()
                roll_back(self._own)  # what was begun and never committed
                if seconds != self._seconds:
                    self._own.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")
                    self._seconds = seconds
                self._own.execute("BEGIN IMMEDIATE")
        except StoreBusy:
            if wait:
                raise
            return False
        return True

    def joined(self) -> AbstractContextManager[None]:
        """See `Group.joined`."""
        return self._connections.lent(self._own)

    def commit(self) -> None:
        """See `Group.commit`."""
        with self._connections.explained():
            commit(self._own)
            self._connections.checkpoints.committed(self._own)
            self._connections.bound_log(self._own)

    @property
    def _own(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._connections.open()
            # What a statement keeps to undo itself, of a few pages, needs no file.
            self._opened.execute("PRAGMA temp_store = MEMORY")
            self._opened.execute(f"PRAGMA wal_autocheckpoint = {AUTOMATIC_FRAMES}")
        return self._opened
