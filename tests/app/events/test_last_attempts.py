"""When deliveries were last attempted, and what an earlier release can read beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.events.outbound.delivery_cursors import (
    CURSORS,
    DeliveryCursors,
    open_cursor,
    prepare_cursors,
)
from app.events.outbound.last_attempts import (
    LastAttempts,
    read_last_attempts,
    store_last_attempts,
)
from storage import Store, json
from storage.sqlite import SqliteStore

FIRST_RELEASE = {
    "id",
    "position",
    "opened",
    "holder",
    "held_until",
    "failures",
    "rest_until",
    "retry_at",
    "suspended",
    "missed",
}
"""The attributes of a cursor that release 0.1.0 reads: it refuses any other."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqliteStore(tmp_path / "store.db", durability="normal")) as opened:
        prepare_cursors(opened)
        yield opened


def test_a_cursor_can_be_read_by_the_first_release(store: Store) -> None:
    open_cursor(store, "hub/x", 3)
    worker = DeliveryCursors(store, "worker", 10.0)
    taken = worker.take("hub/x")
    assert taken is not None
    worker.keep(replace(taken[0], failures=1, position=4), ())
    worker.note_attempts("hub/x", LastAttempts(1.0, 2.0, "it answered 500"))
    assert set(json.loads(store.get(CURSORS, "hub/x").content)) == FIRST_RELEASE


def test_a_success_leaves_the_last_failure_and_the_reverse(store: Store) -> None:
    store_last_attempts(store, "hub/x", LastAttempts(failed_at=2.0, error="it answered 500"))
    store_last_attempts(store, "hub/x", LastAttempts(succeeded_at=3.0))
    assert read_last_attempts(store, "hub/x") == LastAttempts(3.0, 2.0, "it answered 500")
    store_last_attempts(store, "hub/x", LastAttempts(failed_at=4.0, error="no route"))
    assert read_last_attempts(store, "hub/x") == LastAttempts(3.0, 4.0, "no route")


def test_a_subscription_that_begins_anew_has_no_attempts(store: Store) -> None:
    open_cursor(store, "hub/x", 0)
    store_last_attempts(store, "hub/x", LastAttempts(succeeded_at=3.0))
    open_cursor(store, "hub/x", 0)
    assert read_last_attempts(store, "hub/x") == LastAttempts()
