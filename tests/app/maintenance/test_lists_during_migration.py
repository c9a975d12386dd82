"""Lists are the same before, during and after a migration, on every store.

Left out is content that is not base64, which version 5 cannot have and does not show; sorting by
`@type`, which orders documents by the class that they are stored with; and patterns for an `href`
that is made from an id.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from app.application import limits_of
from app.bootstrap import open_contracts, open_prepared_store
from app.contract import Contract, Kind
from app.maintenance import migrate
from app.settings import Settings, read_settings
from app.tmf630 import filtering, paging
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.representation import KEPT, decode, encode
from app.tmf630.stored_query import scoped
from storage import Comparison, Operator, Query, Store, Window, paths_in
from tests.app.contract.test_mapping import random_documents
from tests.conftest import OURS, OURS_V5

COLLECTION = "partyInteraction/partyInteraction"
DOCUMENTS = 24
QUERIES = 120
SUFFIXES = ("", "", "", ".ne", ".regex")


@pytest.fixture(params=["sqlite", "mongo"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = f"sqlite:///{tmp_path}/store.db"
    if request.param == "mongo":
        url = f"{request.getfixturevalue('mongo')}lists{uuid.uuid4().hex[:8]}"
    return read_settings(spec=(OURS, OURS_V5), store=url, durability="normal")


@pytest.fixture
def contracts(settings: Settings) -> tuple[Contract, ...]:
    return tuple(open_contracts(settings))


@pytest.fixture
def store(settings: Settings, contracts: tuple[Contract, ...]) -> Iterator[Store]:
    opened = open_prepared_store(settings, contracts)
    yield opened
    opened.close()


def definition_of(contract: Contract) -> ResourceDefinition:
    return next(
        each.definition
        for each in contract.bindings
        if each.kind is Kind.LIST and each.definition is not None
    )


def fill(store: Store, definitions: list[ResourceDefinition]) -> None:
    """Store documents of both versions in turn."""
    numbers = count()
    written = [random_documents(each.forms.name, DOCUMENTS) for each in definitions]
    for pair in zip(*written, strict=True):
        for definition, document in zip(definitions, pair, strict=True):
            id = str(next(numbers))
            content = encode(definition, {**document, "id": id})
            store.insert(COLLECTION, id, content, form=definition.forms.name)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield each scalar of a resource with the path that leads to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    elif value not in (None, "") and path[-1] != "content" and path not in (("id",), ("href",)):
        yield ".".join(path), value


def random_queries(
    store: Store, definition: ResourceDefinition, random: Random
) -> list[tuple[str, str]]:
    """Return pairs of a filter and a sort term, made of what the version shows of documents."""
    page = store.find(COLLECTION, Query(window=Window(0, 2 * DOCUMENTS)))
    seen = [leaf for each in page.documents for leaf in leaves(decode(definition, each))]
    found = []
    for _ in range(QUERIES):
        terms = random.sample(seen, 2)
        written = [
            f"{path}{_suffix(path, random)}={quote(_text(value), safe='')}"
            for path, value in terms[: random.choice((1, 1, 2))]
        ]
        sort = random.choice([path for path, _ in seen if path != "@type"])
        found.append(("&".join(written), random.choice(("", "-")) + sort))
    return found


def _suffix(path: str, random: Random) -> str:
    suffix = random.choice(SUFFIXES)
    return "" if suffix == ".regex" and path.endswith("href") else suffix


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(
    store: Store, definition: ResourceDefinition, settings: Settings, query: tuple[str, str]
) -> list[str]:
    filters, sort = query
    limits = limits_of(settings)
    where = filtering.condition(definition, filters, limits)
    keys = paging.sort_keys(definition, [sort], limits)
    asked = Query(where=scoped(definition, where), sort=keys, window=Window(0, 2 * DOCUMENTS))
    return [each.id for each in store.find(COLLECTION, asked).documents]


TARGETS = pytest.mark.parametrize("target", [0, 1], ids=["v4", "v5"])


@TARGETS
def test_lists_are_the_same_before_during_and_after_a_migration(
    settings: Settings, contracts: tuple[Contract, ...], store: Store, target: int
) -> None:
    definitions = [definition_of(each) for each in contracts]
    fill(store, definitions)
    random = Random(20)
    queries = [(each, q) for each in definitions for q in random_queries(store, each, random)]

    def answers() -> list[list[str]]:
        return [listed(store, definition, settings, query) for definition, query in queries]

    before = answers()
    assert sum(map(bool, before)) > QUERIES
    progress = count()

    def check_half_way() -> None:
        if next(progress) == DOCUMENTS:
            assert answers() == before

    migrate(contracts[target], store, progress=check_half_way)
    after = answers()
    differing = [
        (definition.forms.name, query, one, other)
        for (definition, query), one, other in zip(queries, before, after, strict=True)
        if one != other
    ]
    assert differing == []


@TARGETS
def test_what_a_migration_keeps_aside_and_makes_up_is_found(
    settings: Settings, contracts: tuple[Contract, ...], store: Store, target: int
) -> None:
    first, second = map(definition_of, contracts)
    party = {"id": "42", "href": "/party/42", "@referredType": "Individual", "@type": "Own"}
    older = {"id": "1", "@type": "PartyInteraction", "relatedParty": [party]}
    newer = {
        "id": "2",
        "@type": "PartyInteraction",
        "relatedParty": [
            {
                "@type": "RelatedPartyOrPartyRole",
                "@baseType": "Outside",
                "partyOrPartyRole": {"@type": "PartyRef", "name": "Moon FC"},
            }
        ],
    }
    store.insert(COLLECTION, "1", encode(first, older), form="4")
    store.insert(COLLECTION, "2", encode(second, newer), form="5")
    expected = {
        (0, "relatedParty.@type=Own"): ["1"],
        (0, "relatedParty.@type.ne=Own"): ["2"],
        (0, "relatedParty.id=unspecified"): ["2"],
        (0, "relatedParty.href=/party/unspecified"): ["2"],
        (0, "relatedParty.@baseType=Outside"): [],
        (1, "relatedParty.@baseType=Outside"): ["2"],
        (1, "relatedParty.partyOrPartyRole.id=42"): ["1"],
        (1, "relatedParty.partyOrPartyRole.id=unspecified"): [],
        (1, "relatedParty.partyOrPartyRole.name=Moon FC"): ["2"],
    }

    def found() -> dict[tuple[int, str], list[str]]:
        return {
            (version, query): sorted(
                listed(store, definition_of(contracts[version]), settings, (query, ""))
            )
            for version, query in expected
        }

    assert found() == expected
    migrate(contracts[target], store)
    assert found() == expected


def test_what_an_index_serves_is_asked_of_the_content_alone(
    contracts: tuple[Contract, ...],
) -> None:
    forms = definition_of(contracts[0]).forms
    leaf = Comparison(("relatedParty", "id"), Operator.EQ, "42")
    for kept, condition in ((False, leaf), (True, replace(leaf, path=("relatedParty", "name")))):
        assert any(KEPT in path for path in paths_in(forms.stored(condition))) is kept


@TARGETS
def test_dates_that_earlier_releases_accepted_are_found_after_a_migration(
    settings: Settings, contracts: tuple[Contract, ...], store: Store, target: int
) -> None:
    first, definition = definition_of(contracts[0]), definition_of(contracts[target])
    old = {
        "id": "1",
        "@type": "PartyInteraction",
        "channel": [{"id": "c", "href": "/channel/c"}],
        "direction": "inbound",
        "reason": "2026-01-31t09:30:00z",
        "status": "opened",
        "creationDate": "2026-01-31t09:30:00z",
        "interactionDate": {"startDateTime": "2016-12-31T23:59:60Z"},
        "description": "2026-01-31T09:30:00z",
    }
    store.insert(COLLECTION, "1", encode(first, old), form="v4")
    (done,) = migrate(contracts[target], store)
    assert (done.migrated, done.already, done.rejected) == (1, 0, {})
    stored = store.get(COLLECTION, "1")
    shown = decode(definition, stored)
    assert shown["creationDate"] == "2026-01-31T09:30:00Z"
    assert shown["interactionDate"] == {"startDateTime": "2017-01-01T00:00:00Z"}
    assert shown["reason"] == old["reason"]
    assert shown["description"] == old["description"]
    for query in ("creationDate=2026-01-31t09:30:00z", "creationDate>2026-01-31T09:29:59Z"):
        assert listed(store, definition, settings, (query, "")) == ["1"]
    (again,) = migrate(contracts[target], store)
    assert (again.migrated, again.already) == (0, 1)
