"""The time limit of a query: SQLite asks every so many instructions whether to go on."""

from __future__ import annotations

import sqlite3
import time

_INSTRUCTIONS_BETWEEN_CHECKS = 5_000
_INSTRUCTIONS_OF_SHORT_QUERIES = 500
"""Between checks of a query that states how long it may take: some rows of one that filters."""

_SHARED_PROCESSOR = 10
"""How many times its seconds a short query may take when the processor, or a disk, is shared."""


class TimeLimit:
    """Interrupts what runs on a connection when it takes longer than a query may.

    That is `longest` seconds; `seconds` is the limit of this query, where it has a shorter one.
    """

    __slots__ = ("_connection",)

    def __init__(
        self, connection: sqlite3.Connection, seconds: float | None, longest: float
    ) -> None:
        self._connection = connection
        if seconds is not None and seconds < longest:
            connection.set_progress_handler(_Expiry(seconds), _INSTRUCTIONS_OF_SHORT_QUERIES)
        else:
            deadline = time.monotonic() + longest
            connection.set_progress_handler(
                lambda: time.monotonic() > deadline, _INSTRUCTIONS_BETWEEN_CHECKS
            )

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        self._connection.set_progress_handler(None, 0)


class _Expiry:
    """Whether a short query has used up its time: processor time, if the machine is busy."""

    __slots__ = ("_begun", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun: tuple[float, float] | None = None

    def __call__(self) -> bool:
        if self._begun is None:
            self._begun = time.monotonic(), time.thread_time()
            return False
        passed = time.monotonic() - self._begun[0]
        if passed <= self._seconds:
            return False
        used = time.thread_time() - self._begun[1]
        return used > self._seconds or passed > self._seconds * _SHARED_PROCESSOR
