"""Indexes of a large store are built while others write to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from storage import Comparison, Index, Operator, Query
from storage.sqlite import connections, schema
from storage.sqlite.store import SqliteStore

MANY = Index((("r", "id"),), many=True)
SCALAR = Index((("s",),))
DOCUMENTS = 50


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with documents and no index, which counts as large."""
    monkeypatch.setattr(schema, "_STEP_DOCUMENTS", 10)
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare("c", ())
    for number in range(DOCUMENTS):
        store.insert("c", f"{number}", content(number))
    store.close()
    return tmp_path / "s.db"


def content(number: int, party: str = "p") -> bytes:
    body = {"id": f"{number}", "s": "x", "r": [{"id": f"{party}{number}"}, {"id": "all"}]}
    return json.dumps(body).encode()


def found(store: SqliteStore, party: str) -> set[str]:
    query = Query(where=Comparison(("r", "id"), Operator.EQ, party))
    return {each.id for each in store.find("c", query).documents}


def build(file: Path, at_pause: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> SqliteStore:
    monkeypatch.setattr(schema.time, "sleep", lambda _: at_pause())
    store = SqliteStore(file, durability="normal")
    store.prepare("c", (SCALAR, MANY))
    return store


def test_others_write_while_an_index_is_built(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = SqliteStore(file, durability="normal", busy_seconds=0)
    written: list[int] = []

    def write() -> None:
        number = len(written)
        other.insert("c", f"new {number}", content(1000 + number))
        other.replace("c", f"{number}", content(number, "changed"), version=1)
        other.delete("c", f"{DOCUMENTS - 1 - number}", version=1)
        written.append(number)
        if len(written) > 20:
            monkeypatch.setattr(schema.time, "sleep", lambda _: None)

    store = build(file, write, monkeypatch)
    assert len(written) >= 5
    assert store.indexes("c") == {SCALAR.name, MANY.name}
    for number in written:
        assert found(store, f"p{1000 + number}") == {f"new {number}"}
        assert found(store, f"changed{number}") == {f"{number}"}
        assert not found(store, f"p{number}")
        assert not found(store, f"p{DOCUMENTS - 1 - number}")
    plain = SqliteStore(file)  # which knows no index
    assert found(store, "all") == found(plain, "all")
    for each in (store, plain, other):
        each.close()


class Killed(Exception):
    """The process ends here."""


def test_an_index_that_was_left_unfinished_is_built_to_its_end(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = iter(range(3))

    def die() -> None:
        if next(pauses) == 2:
            raise Killed

    with pytest.raises(Killed):
        build(file, die, monkeypatch)
    half = SqliteStore(file, durability="normal")
    assert half.indexes("c") == {SCALAR.name}, "no query relies on it"
    half.insert("c", "between", content(7777))
    store = build(file, lambda: None, monkeypatch)
    assert store.indexes("c") == {SCALAR.name, MANY.name}
    assert len(found(store, "all")) == DOCUMENTS + 1
    assert found(store, "p7777") == {"between"}
    for each in (store, half):
        each.close()


def test_two_processes_that_build_at_once_make_one_index(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[SqliteStore] = []

    def build_too() -> None:
        if not others:
            others.append(SqliteStore(file, durability="normal"))
            others[0].prepare("c", (SCALAR, MANY))

    store = build(file, build_too, monkeypatch)
    with store._connections.use() as connection:
        hints = connection.execute("SELECT name FROM hint").fetchall()
        triggers = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name GLOB 'element_*'"
        ).fetchone()
    assert len(hints) == 2
    assert triggers == (3,)
    assert len(found(store, "all")) == DOCUMENTS
    for each in (store, *others):
        each.close()


def test_an_index_that_others_would_wait_for_too_long_is_left_to_a_later_start(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schema, "_INSTRUCTIONS_BETWEEN_LOOKS", 10)
    monkeypatch.setattr(connections, "_SHORTEST_WRITE_SECONDS", -1.0)
    other = SqliteStore(file, durability="normal")
    store = SqliteStore(file, durability="normal", busy_seconds=0)
    store.prepare("c", (SCALAR, MANY))
    assert store.indexes("c") == {MANY.name}
    assert "index s of c is not built" in caplog.text
    query = Query(where=Comparison(("s",), Operator.EQ, "x"))
    assert store.find("c", query).total == DOCUMENTS
    other.insert("c", "new", content(1))
    for each in (store, other):
        each.close()
    alone = SqliteStore(file, durability="normal", busy_seconds=0)
    alone.prepare("c", (SCALAR, MANY))
    assert alone.indexes("c") == {SCALAR.name, MANY.name}
    alone.close()
