"""SQLite compiles a statement once: other values in it do not have it compiled again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage import (
    And,
    Comparison,
    EventReaders,
    Index,
    Matches,
    Operator,
    Query,
    SortKey,
    Window,
    json,
)
from storage.sqlite.store import SqliteStore

DATE = ("date",)
INDEXES = (
    Index((("status",), DATE), instants=frozenset({DATE})),
    Index((DATE,), instants=frozenset({DATE})),
    Index((("reason",),)),
    Index((("party", "id"),), many=True),
)
DOCUMENTS = 1_500

Call = Callable[[SqliteStore, int], object]


def content(number: int) -> bytes:
    body = {
        "id": str(number),
        "status": "opened" if number % 2 else "closed",
        "reason": number % 7,
        "date": f"2026-01-{number % 28 + 1:02}T00:00:00Z",
        "party": [{"id": f"p{number % 50}"}],
    }
    return json.dumps(body)


def found(make: Callable[[int], Query]) -> Call:
    return lambda store, number: store.find("c", make(number))


def equal(name: str, value: str | int) -> Comparison:
    return Comparison(tuple(name.split(".")), Operator.EQ, value)


def a_party(number: int) -> Comparison:
    return equal("party.id", f"p{number}")


def second_page(store: SqliteStore, number: int) -> object:
    first = store.find("c", Query(window=Window(0, number + 1)))
    return store.find("c", Query(after=first.end))


def replaced(store: SqliteStore, number: int) -> object:
    version = store.get("c", str(number)).version
    return store.replace("c", str(number), content(number), version=version, events=[b"{}"])


CALLS: dict[str, Call] = {
    "get": lambda store, number: store.get("c", str(number)),
    "newest": found(lambda number: Query(window=Window(0, number))),
    "without a total": found(lambda number: Query(window=Window(0, number), count=False)),
    "second page": second_page,
    "sorted": found(
        lambda number: Query(sort=(SortKey(DATE, instant=True),), window=Window(number))
    ),
    "status": found(lambda number: Query(equal("status", "opened"), window=Window(0, number))),
    "no such status": found(lambda number: Query(equal("status", f"none {number}"))),
    "party": found(lambda number: Query(a_party(number))),
    "party and status": found(
        lambda number: Query(And((a_party(number), equal("status", "opened"))))
    ),
    "status and reason": found(
        lambda number: Query(And((equal("status", "opened"), equal("reason", number))))
    ),
    "sorted party": found(lambda number: Query(a_party(number), (SortKey(DATE, instant=True),))),
    "no index": found(lambda number: Query(equal("other", number))),
    "pattern": found(lambda number: Query(Matches(("status",), f"o.*{number}"))),
    "insert": lambda store, number: store.insert(
        "c", f"new {number}", content(number), events=[b"{}"]
    ),
    "replace": replaced,
    "delete": lambda store, number: store.delete("c", str(number), version=1, events=[b"{}"]),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare("c", INDEXES)
    store.log_events_for("c", EventReaders("hub", ("other/",)))
    with store.batch():
        store.insert("hub", "reader", b'{"id":"reader"}')
        for number in range(DOCUMENTS):
            store.insert("c", str(number), content(number))
    store.close()
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare("c", INDEXES)  # makes the covering index
    store.log_events_for("c", EventReaders("hub", ("other/",)))
    yield store
    store.close()


@pytest.mark.parametrize("call", CALLS)
def test_a_statement_is_compiled_once(store: SqliteStore, call: str) -> None:
    compiled = 0

    def note(*_: object) -> int:
        nonlocal compiled
        compiled += 1  # SQLite asks whether a statement is authorized when it compiles it
        return 0

    with store._connections.use() as connection:
        connection.set_authorizer(note)
    CALLS[call](store, 1)
    CALLS[call](store, 2)
    assert compiled
    compiled = 0
    for number in range(3, 8):
        CALLS[call](store, number)
    assert compiled == 0
