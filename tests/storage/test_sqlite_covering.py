"""Conditions beside a selective one are decided by the covering index, without the documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import And, Comparison, Condition, Index, InForm, Operator, Or, Query, Window, json
from storage.sqlite.covering import CoveringIndex
from storage.sqlite.store import SqliteStore

PARTY = Index((("party", "id"),), many=True)
STATUS = Index((("status",), ("date",)), instants=frozenset({("date",)}))
REASON = Index((("reason",),))
INDEXES = (PARTY, STATUS, REASON)
NAME = "covering c"
DOCUMENTS = 60

OF_PARTY = Comparison(("party", "id"), Operator.EQ, "p1")
OPENED = Comparison(("status",), Operator.EQ, "opened")
WRITTEN_IN_4 = And((InForm(("4",)), OF_PARTY))
CONDITIONS: dict[str, tuple[Condition, set[int]]] = {
    "alone": (OF_PARTY, {1, 4, 7, 10, 13}),
    "with a text": (And((OF_PARTY, OPENED)), {1, 7, 13}),
    "with a number": (And((OF_PARTY, Comparison(("reason",), Operator.GT, 4))), {7, 10, 13}),
    "with what has no hint": (And((OF_PARTY, OPENED, Comparison(("n",), Operator.EQ, 7))), {7}),
    "in a form": (And((OPENED, Or((WRITTEN_IN_4, And((InForm(("5",)), OF_PARTY)))))), {1, 7}),
}


def content(number: int) -> bytes:
    party = f"p{number % 3 if number < 15 else 9}"
    body = {
        "id": str(number),
        "n": number,
        "status": "opened" if number % 2 else "closed",
        "reason": number if number > 3 else True,
        "party": [{"id": party}, {"id": "p1"} if number == 1 else 3],
    }
    return json.dumps(body)


def opened(file: Path, *indexes: Index) -> SqliteStore:
    store = SqliteStore(file, durability="normal")
    store.prepare("c", indexes)
    return store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    store = opened(tmp_path / "s.db", *INDEXES)
    for number in range(DOCUMENTS):
        form = "3" if number == 13 else "45"[number % 2 == 0]
        store.insert("c", str(number), content(number), form=form)
    store.close()
    return tmp_path / "s.db"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteStore]:
    store = opened(file, *INDEXES)
    yield store
    store.close()


def definition(store: SqliteStore) -> str | None:
    with store._connections.use() as connection:
        row = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (NAME,)).fetchone()
    return None if row is None else str(row[0].decode())


def drop(file: Path) -> None:
    store = SqliteStore(file, durability="normal")
    with store._connections.use() as connection:
        connection.execute(f'DROP INDEX "{NAME}"')
    store.close()


def found(store: SqliteStore, where: Condition) -> set[int]:
    page = store.find("c", Query(where, (), Window(0, 3), count=True))
    whole = store.find("c", Query(where, (), Window(0, 100)))
    assert page.total == len(whole.documents)
    return {int(each.id) for each in whole.documents}


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_index_finds_what_the_documents_say(store: SqliteStore, file: Path, name: str) -> None:
    where, expected = CONDITIONS[name]
    assert found(store, where) == expected
    store.delete("c", "7", version=1)
    changed = json.dumps({"id": "10", "n": 7, "status": "opened", "party": {"id": "p1"}})
    store.replace("c", "10", changed, version=1, form="4")
    now = found(store, where)
    assert 7 not in now
    store.close()
    drop(file)
    without = SqliteStore(file)
    assert found(without, where) == now
    without.close()


def test_documents_are_not_read_to_be_counted(store: SqliteStore) -> None:
    statements: list[str] = []
    with store._connections.use() as connection:
        connection.set_trace_callback(statements.append)
        store.find("c", Query(And((OF_PARTY, OPENED)), (), Window(0, 1), count=True))
        connection.set_trace_callback(None)
        (numbers,) = [each for each in statements if each.startswith("SELECT written.seq FROM")]
        plan = connection.execute(f"EXPLAIN QUERY PLAN {numbers}").fetchall()
        assert sum(NAME in row[3].decode() for row in plan) == 1, plan


def test_a_store_of_an_earlier_release_gets_the_index_at_the_next_start(file: Path) -> None:
    drop(file)
    store = opened(file, *INDEXES)
    assert definition(store) == CoveringIndex.of("c", INDEXES).statement  # type: ignore[union-attr]
    store.close()


def test_an_index_of_fewer_attributes_is_replaced_and_one_of_more_is_kept(file: Path) -> None:
    store = opened(file, PARTY, STATUS)
    both = definition(store)
    assert both is not None
    assert "reason" in both
    store.close()
    drop(file)
    store = opened(file, PARTY, STATUS)
    assert "reason" not in (definition(store) or "")
    later = opened(file, *INDEXES)
    assert definition(later) == both
    assert found(store, CONDITIONS["with a number"][0]) == {7, 10, 13}  # it began with the first
    store.close()
    later.close()


def test_without_the_index_the_same_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not built where other processes would wait for it for too long."""
    drop(file)
    monkeypatch.setattr("storage.sqlite.schema._add_covering", lambda *_: None)
    store = opened(file, *INDEXES)
    assert definition(store) is None
    for where, expected in CONDITIONS.values():
        assert found(store, where) == expected
    store.close()


def test_a_collection_without_hints_through_arrays_has_none(tmp_path: Path) -> None:
    store = opened(tmp_path / "s.db", STATUS, REASON)
    assert definition(store) is None
    store.close()


def test_names_are_quoted(tmp_path: Path) -> None:
    name = """it's "a" collection"""
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare(name, INDEXES)
    store.insert(name, "1", content(1))
    query = Query(And((OF_PARTY, OPENED)), (), Window(0, 1), count=True)
    assert store.find(name, query).total == 1
    store.close()
