"""A caller bound to a party sees what names it where the form of the document has parties."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.tmf630 import row_access
from app.tmf630.definitions import ResourceDefinition
from storage import Document, DocumentNotFound, Query, json
from storage.sqlite.store import SqliteStore
from tests.app.contract.test_mapping import CONTRACTS

DEFINITIONS: dict[str, ResourceDefinition] = {
    major: next(
        each.definition
        for each in contract.bindings
        if each.definition is not None and each.definition.parties
    )
    for major, contract in CONTRACTS.items()
}
RELATED = {
    "v4 names A": ("4", {"id": "A"}),
    "v4 names B, and A where v5 looks": ("4", {"id": "B", "partyOrPartyRole": {"id": "A"}}),
    "v5 names A": ("5", {"partyOrPartyRole": {"id": "A"}}),
    "v5 names B, and A where v4 looks": ("5", {"id": "A", "partyOrPartyRole": {"id": "B"}}),
}
A_SEES = {"v4 names A", "v5 names A"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    collection = DEFINITIONS["4"].collection
    assert DEFINITIONS["5"].collection == collection
    store.prepare(collection, DEFINITIONS["4"].indexes)
    for id, (major, related) in RELATED.items():
        body: dict[str, Any] = {"id": id, "relatedParty": [related]}
        form = DEFINITIONS[major].forms.name
        store.insert(collection, id, json.dumps(body), form=form)
    yield store
    store.close()


@pytest.mark.parametrize("major", ["4", "5"])
def test_lists_and_reads_agree_on_what_a_caller_sees(store: SqliteStore, major: str) -> None:
    definition = DEFINITIONS[major]
    for party, seen in (("A", A_SEES), ("B", set(RELATED) - A_SEES)):
        rule = row_access.condition(definition, (party,))
        page = store.find(definition.collection, Query(where=rule))
        assert {each.id for each in page.documents} == seen
        assert page.total == 2
        for id in RELATED:
            document = store.get(definition.collection, id)
            assert is_seen(definition, document, party) == (id in seen), id


def is_seen(definition: ResourceDefinition, document: Document, party: str) -> bool:
    try:
        row_access.check_seen(definition, document, (party,))
    except DocumentNotFound:
        return False
    return True
