"""Embedded resources that were stored as documents of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.bootstrap import open_contracts, open_prepared_store
from app.commands.contracts import check
from app.contract import Contract
from app.maintenance import check_documents, commit_migration, migrate
from app.settings import Settings
from storage import Document, Store, Window, every
from storage import Query as Search
from tests.http.test_embedded import CONTRACT

SITE, UNIT, ROOM = (f"addressBook/v4/{name}" for name in ("site", "site/unit", "site/unit/room"))


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    file = tmp_path_factory.mktemp("contract") / "addresses.json"
    file.write_text(json.dumps(CONTRACT))
    (opened,) = open_contracts(Settings(spec=(file,), store="memory:"))
    return opened


@pytest.fixture
def store(contract: Contract) -> Iterator[Store]:
    opened = open_prepared_store(Settings(store="memory:"), [contract])
    keep(opened, SITE, {"id": "1", "city": "Ulm", "unit": [{"id": "a", "level": "1"}]})
    keep(opened, UNIT, {"id": "b", "level": "2"}, "1")
    keep(opened, ROOM, {"id": "r", "colour": "red"}, "1/b")
    yield opened
    opened.close()


def keep(store: Store, collection: str, resource: dict[str, Any], parent: str = "") -> None:
    key, inside = resource["id"], {}
    if parent:
        key, inside = f"{parent}/{key}", {"/in": parent}
    content = json.dumps({"id": resource["id"]} | inside | resource, separators=(",", ":"))
    store.insert(collection, key, content.encode())


def site(store: Store) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(store.get(SITE, "1").content)
    return content


def count(store: Store, collection: str) -> int:
    return store.find(collection, Search(window=Window(0, 0))).total or 0


def outcome(contract: Contract, store: Store, **options: bool) -> dict[str, tuple[int, list[str]]]:
    done = migrate(contract, store, **options)
    return {each.collection: (each.migrated, [*each.rejected]) for each in done}


def test_check_tells_of_them(contract: Contract, store: Store) -> None:
    found = {each.collection: each for each in check_documents(contract, store)}
    for collection in (UNIT, ROOM):
        assert (found[collection].documents, found[collection].passed) == (1, 0)
        assert [*found[collection].broken] == [
            "lies outside of the array of its parent; migrate moves it there"
        ]


def test_migrate_moves_them_into_their_parents(contract: Contract, store: Store) -> None:
    before = site(store)
    expected = {SITE: (1, []), UNIT: (1, []), ROOM: (1, [])}
    assert outcome(contract, store, dry_run=True) == expected
    assert site(store) == before
    assert outcome(contract, store) == expected
    moved = {"id": "b", "level": "2", "room": [{"id": "r", "colour": "red"}]}
    assert site(store)["unit"] == [moved, {"id": "a", "level": "1"}]
    assert (count(store, UNIT), count(store, ROOM)) == (0, 0)
    assert all(each.passed == each.documents for each in check_documents(contract, store))
    assert outcome(contract, store) == {SITE: (0, [])}
    assert commit_migration(contract, store) == 3


def test_a_dry_run_knows_parents_that_the_run_would_move(contract: Contract, store: Store) -> None:
    older = {each: each.replace("v4", "v3") for each in (SITE, UNIT, ROOM)}
    keep(store, older[SITE], {"id": "2", "city": "Bonn"})
    keep(store, older[SITE], {"id": "3", "city": 7})
    for parent in ("2", "3"):
        keep(store, older[UNIT], {"id": "c", "level": "1"}, parent)
        keep(store, older[ROOM], {"id": "s", "colour": "blue"}, f"{parent}/c")
    dry = outcome(contract, store, dry_run=True)
    assert dry[older[SITE]] == (1, ["/city must be of type string"])
    missing = (1, ["its parent is not stored"])
    assert (dry[older[UNIT]], dry[older[ROOM]]) == (missing, missing)
    assert outcome(contract, store) == dry


def test_one_that_was_moved_before_the_end_is_moved_once(contract: Contract, store: Store) -> None:
    keep(store, UNIT, {"id": "a", "level": "1"}, "1")
    outcome(contract, store)
    assert sorted(each["id"] for each in site(store)["unit"]) == ["a", "b"]
    assert count(store, UNIT) == 0


def test_what_has_no_place_stays(contract: Contract, store: Store) -> None:
    keep(store, UNIT, {"id": "x"}, "none")
    keep(store, UNIT, {"id": "y", "floor": "high"}, "1")
    keep(store, ROOM, {"id": "z"}, "1/none")
    moved = outcome(contract, store)
    assert moved[UNIT][0] == 1
    assert sorted(moved[UNIT][1]) == [
        "/unit/0/floor must be of type integer",
        "its parent is not stored",
    ]
    assert moved[ROOM] == (1, ["its parent is not stored"])
    left: list[Document] = [*every(store, UNIT), *every(store, ROOM)]
    assert sorted(each.id for each in left) == ["1/none/z", "1/y", "none/x"]


def test_check_lists_what_is_embedded(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    file.write_text(json.dumps(CONTRACT))
    lines = CliRunner().invoke(check, [str(file)]).output.splitlines()
    assert [each for each in lines if each.startswith("embedded")] == [
        "embedded   site/unit: elements of unit of site",
        "embedded   site/unit/room: elements of room of site/unit",
    ]
