"""Checkpoints: the write-ahead log is moved into the database while commits go on.

SQLite does that within the commit that makes the log long: this one, and all writes that wait for
it, take a hundred times as long as others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import NamedTuple

from storage.errors import StoreError

AUTOMATIC_FRAMES = 16_000
"""Pages in the log at which a commit does it all the same, where no thread has come to it."""

_COMMITS = 100
"""Commits from one checkpoint to the next."""
_MOST_ROUNDS = 5
_FEW_FRAMES = 64
"""Pages that a commit may move: about as many as it writes."""
_MOST_ENDINGS = 20


class Moved(NamedTuple):
    """The pages in the log, and how many of them the database has; none where others are at it."""

    frames: int
    done: int


class Checkpointer:
    """Makes checkpoints in a thread, for the connection that commits.

    Pages that are written meanwhile stay in the log, which can begin anew only when the database
    has all of it. So the last few are moved after a commit, when nobody else writes.
    """

    def __init__(self, use: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self._use = use
        self._executor = ThreadPoolExecutor(1, "checkpoint")
        self._running: Future[None] | None = None
        self._commits = 0
        self._frames = 0
        self._endings = 0

    def committed(self, connection: sqlite3.Connection) -> None:
        """Note a commit, and do what can be done quickly; always in the same thread."""
        self._commits += 1
        if self._running is not None and not self._running.done():
            return
        if self._endings:
            self._end(connection)
        elif self._commits >= _COMMITS:
            self._commits = 0
            self._running = self._executor.submit(self._move)

    def wait(self) -> None:
        """Wait until the checkpoint that runs in the thread, if any, is made."""
        if self._running is not None:
            wait([self._running])

    def stop(self) -> None:
        """End the thread."""
        self._executor.shutdown()

    def _end(self, connection: sqlite3.Connection) -> None:
        """Move the last pages; once that is done, the log begins anew with some commit."""
        moved = checkpoint(connection)
        self._endings = 0 if moved.frames < self._frames else self._endings - 1

    def _move(self) -> None:
        """Move all but the last few pages, in the thread."""
        try:
            with self._use() as connection:
                for _ in range(_MOST_ROUNDS):
                    moved = checkpoint(connection)
                    if moved.frames - moved.done <= _FEW_FRAMES:
                        break
        except StoreError:  # the file is gone: the next write says so
            return
        self._frames = moved.frames
        self._endings = _MOST_ENDINGS if moved.frames else 0


def checkpoint(connection: sqlite3.Connection) -> Moved:
    """Move what no reader prevents, without waiting for anybody."""
    try:
        busy, frames, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:  # the next commit fails for the same reason, and says so
        return Moved(0, 0)
    return Moved(0, 0) if busy else Moved(frames, done)
