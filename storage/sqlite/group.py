"""Group commit on a connection of its own."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager

from storage.errors import StoreBusy
from storage.sqlite.connections import Connections, commit, roll_back


class SqliteGroup:
    """`storage.port.Group` on one SQLite file."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._opened: sqlite3.Connection | None = None

    def begin(self, *, wait: bool) -> bool:
        """See `Group.begin`."""
        try:
            with self._connections.explained():
                roll_back(self._own)  # what was begun and never committed
                if not wait:
                    self._own.execute("BEGIN IMMEDIATE")
                    return True
                self._be_patient(self._connections.busy_seconds)
                try:
                    self._own.execute("BEGIN IMMEDIATE")
                finally:
                    self._be_patient(0)
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

    @property
    def _own(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._connections.open()
            # What a statement keeps to undo itself, of a few pages, needs no file.
            self._opened.execute("PRAGMA temp_store = MEMORY")
            self._be_patient(0)
        return self._opened

    def _be_patient(self, seconds: float) -> None:
        self._own.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")
