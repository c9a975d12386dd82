"""What a query costs on SQLite: instructions of its virtual machine, alike on every computer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from storage import Page, Query
from storage.sqlite.store import SqliteStore

STEP = 10


def instructions(store: SqliteStore, collection: str, query: Query) -> tuple[Page, int]:
    """Return the page that a query finds, and how many instructions that took, to the ten."""
    ticks = 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    @contextmanager
    def counted(connection: sqlite3.Connection, _seconds: float | None) -> Iterator[None]:
        connection.set_progress_handler(tick, STEP)
        yield
        connection.set_progress_handler(None, 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_timed", counted)
        page = store.find(collection, query)
    return page, ticks * STEP
