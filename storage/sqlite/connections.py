"""Connections to the database."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

from storage import regex
from storage.sqlite.checkpoints import Checkpointer
from storage.sqlite.failures import port_error
from storage.sqlite.file_identity import FileIdentity

Durability: TypeAlias = Literal["full", "normal"]
Lent = TypeVar("Lent", covariant=True)

LARGEST_LOG = 128 * 1024 * 1024
"""Bytes that the write-ahead log stays below: it is started anew at half of that."""

_SHORTEST_WRITE_SECONDS = 0.5
_LOG_WAIT_MS = 250
"""How long to wait for readers that still need the beginning of the log; writes wait meanwhile."""
_LOG_LOOK_SECONDS = 0.05
_LOG_REST_SECONDS = 60.0
"""How long no read waits after one has waited in vain: another program keeps the log."""


class Truncation(Enum):
    """The outcome of an attempt to truncate the write-ahead log."""

    DONE = auto()
    PREVENTED = auto()
    """A reader or a writer still needs the log."""
    CHECKPOINT_RUNNING = auto()
    """Another connection makes a checkpoint, which ends by itself; SQLite does not wait for it."""


class Explained(Generic[Lent]):
    """Lends something, and says SQLite's failures meanwhile in the port's words.

    A generator would take longer than SQLite does to find a document.
    """

    __slots__ = ("_explain", "_lent")

    def __init__(self, lent: Lent, explain: Callable[[sqlite3.DatabaseError], Exception]) -> None:
        self._lent = lent
        self._explain = explain

    def __enter__(self) -> Lent:
        return self._lent

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError
        ):
            raise self._explain(error) from error


class Connections:
    """One connection a thread on a file; on memory (`file` is None) one for all, taken in turn.

    SQLite lets many connections read while one writes (WAL), but a private memory database
    exists only inside its single connection.
    """

    def __init__(self, file: Path | None, *, durability: Durability, busy_seconds: float) -> None:
        self._file = file
        self._durability = durability
        self.busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._log = None if file is None else file.with_name(f"{file.name}-wal")
        self._size_tried = 0
        self._next_wait = 0.0
        self._identity = FileIdentity(file) if file is not None else None
        self._shared = None if file else self.open()
        self.checkpoints = Checkpointer(self.use)

    def use(self) -> AbstractContextManager[sqlite3.Connection]:
        """Lend a connection in autocommit mode; SQLite's failures leave as `StoreError`."""
        if self._shared is not None:
            return self._use_shared(self._shared)
        own: Explained[sqlite3.Connection] | None = getattr(self._local, "use", None)
        if own is None:
            with self.explained():
                # Before: opening a file that took the place of the first, SQLite would take the
                # log of the first for its own, and lose what is in it.
                self.check_file()
                own = Explained(self.open(), self._explain)
                self.check_file()
            self._local.use = own
        return own

    @contextmanager
    def _use_shared(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        with self.explained(), self._lock:
            yield connection

    def check_file(self) -> None:
        """Check that the file is still the one that was opened; before each group of writes.

        Raises:
            FileReplaced: it is another file, or there is none.
        """
        if self._identity is not None:
            self._identity.check()

    def bound_log(self, connection: sqlite3.Connection) -> None:
        """Truncate the write-ahead log when it is large, once no reader needs its beginning.

        SQLite does so by itself only at a moment without readers, which may never come.
        """
        size = self._log_size()
        if size < self._size_tried:
            self._size_tried = 0  # another process has truncated it
        if size > max(LARGEST_LOG // 2, self._size_tried + LARGEST_LOG // 32):
            if size > LARGEST_LOG * 3 // 4:
                self.checkpoints.wait()
            truncation = self._truncate_log(connection, _LOG_WAIT_MS)
            if truncation is not Truncation.CHECKPOINT_RUNNING:  # else the next write tries again
                self._size_tried = 0 if truncation is Truncation.DONE else size

    def wait_for_log(self, seconds: float) -> None:
        """Wait, before a read that may take long, until the write-ahead log is not near its limit.

        Reads that overlap would keep the log from being truncated for ever.
        """
        if self._log_size() <= LARGEST_LOG * 3 // 4:
            return
        end = time.monotonic() + seconds
        with self.use() as connection:
            while time.monotonic() >= self._next_wait and not connection.in_transaction:
                if self._truncate_log(connection, 0) is Truncation.DONE:
                    return
                if time.monotonic() > end:
                    self._next_wait = end + _LOG_REST_SECONDS
                time.sleep(_LOG_LOOK_SECONDS)

    def _log_size(self) -> int:
        if self._log is None:
            return 0
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    @staticmethod
    def _truncate_log(connection: sqlite3.Connection, wait_ms: int) -> Truncation:
        """Checkpoint and truncate the write-ahead log, if nothing prevents it."""
        (wait,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
        try:
            busy, frames, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return Truncation.PREVENTED
        finally:
            connection.execute(f"PRAGMA busy_timeout = {wait}")
        if not busy:
            return Truncation.DONE
        return Truncation.CHECKPOINT_RUNNING if frames < 0 else Truncation.PREVENTED

    @property
    def others_wait_seconds(self) -> float | None:
        """How long one write may take without others failing; None where there are no others."""
        if self._identity is None or self._identity.alone:
            return None
        return max(_SHORTEST_WRITE_SECONDS, self.busy_seconds / 2)

    @contextmanager
    def lent(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Have this thread use a connection in place of its own."""
        own = getattr(self._local, "use", None)
        self._local.use = Explained(connection, self._explain)
        try:
            yield
        finally:
            self._local.use = own

    def explained(self) -> AbstractContextManager[None]:
        """Say SQLite's failures in the port's words."""
        return Explained(None, self._explain)

    def _explain(self, error: sqlite3.DatabaseError) -> Exception:
        return port_error(error, self._file, self.busy_seconds)

    def close(self) -> None:
        """Close every connection, whichever thread opened it."""
        self.checkpoints.stop()
        with self._lock:
            while self._opened:
                self._opened.pop().close()
            if self._identity is not None:
                self._identity.close()

    def open(self) -> sqlite3.Connection:
        """Return a new connection, which `close` closes."""
        connection = sqlite3.connect(
            self._file or ":memory:",
            timeout=self.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        with self._lock:
            self._opened.append(connection)
        connection.text_factory = bytes
        connection.create_function("regexp", 2, _contains_match, deterministic=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG // 2}")
        connection.execute("PRAGMA cache_size = -8192")  # KiB a connection; mmap does the rest
        connection.execute("PRAGMA mmap_size = 4294967296")  # reads without system calls
        connection.execute(f"PRAGMA synchronous = {self._durability}")
        return connection


def _contains_match(pattern: str, value: object) -> bool:
    """Whether a value is text with a match; SQLite may ask before it has looked at the type."""
    return isinstance(value, str) and regex.compiled(pattern).search(value) is not None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a write transaction: committed at the end, rolled back on an exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        roll_back(connection)
        raise
    commit(connection)


@contextmanager
def savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a part of the open transaction, which alone is undone on an exception."""
    connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # some failures have rolled all of it back
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
        raise
    connection.execute("RELEASE part")


def commit(connection: sqlite3.Connection) -> None:
    """Commit the open transaction; when that fails, nothing of it stays."""
    try:
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the open transaction, if SQLite has not done so itself."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
