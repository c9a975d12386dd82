"""Filters on values, without a server: what a condition holds for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.contract import Kind
from app.tmf630 import filtering, jsonpath
from app.tmf630.definitions import Limits, ResourceDefinition, UnknownFilters
from app.tmf630.errors import BadQuery
from storage import holds
from tests.app.tmf630.test_jsonpath import CONTRACTS

DEFINITIONS = [
    binding.definition
    for contract in CONTRACTS
    for binding in contract.bindings
    if binding.kind is Kind.LIST and binding.definition is not None
]
DEFINITION, DEFINITION_V5 = DEFINITIONS
LIMITS = Limits()
LONG = 1234567890123456789

FOUND: list[tuple[str, dict[str, Any]]] = [
    ("phone=+49301234", {"phone": "+49301234"}),
    ("phone=%2B49301234", {"phone": "+49301234"}),
    ("phone==+49301234", {"phone": "+49301234"}),
    ("phone%3D+49301234", {"phone": "+49301234"}),
    ("phone=1,+49301234", {"phone": "+49301234"}),
    ("phone=a%2C+49301234", {"phone": "+49301234"}),
    ('phone="+49301234"', {"phone": "+49301234"}),
    ("phone='+49301234'", {"phone": "+49301234"}),
    ("phone=%22+49301234%22", {"phone": "+49301234"}),
    ("name=Ana+7", {"name": "Ana 7"}),
    ("name=a%2Bb", {"name": "a+b"}),
    ('reason=He said "a, b" and "c", then left', {"reason": 'He said "a, b" and "c", then left'}),
    ('reason="Hello", she said, "you"', {"reason": '"Hello", she said, "you"'}),
    ('reason=5" pipe, 3m', {"reason": '5" pipe, 3m'}),
    ('reason="a, b",c', {"reason": "a, b"}),
    ('reason="a, b",c', {"reason": "c"}),
    ("reason=a\\,b,c", {"reason": "a,b"}),
    ("x[]=1&x[]=2", {"x": 2}),
    ("x[].ne=1", {"x": 2}),
    ("x[].y=1&x[].z=2", {"x": [{"y": 1, "z": 2}]}),
    (f"x={LONG}", {"x": LONG}),
    (f"x>={LONG}", {"x": LONG}),
    (f"x=-{LONG}", {"x": -LONG}),
    ("x=99999999999999999999", {"x": 99999999999999999999}),
    (f"x={10**400}", {"x": 10**400}),
    ("x>1", {"x": 2}),
    ('x>"1"', {"x": "2"}),
    ("x>=2026-01-01", {"x": "2026-01-01T00:00:00Z"}),
    ("depth=1", {}),
    ("expand=a.b", {}),
    ("_=1", {}),
]

NOT_FOUND: list[tuple[str, dict[str, Any]]] = [
    ("phone=+49301234", {"phone": " 49301234"}),
    (f"x={LONG}", {"x": LONG + 1}),
    (f"x={LONG}", {"x": LONG - 1}),
    (f"x>{LONG}", {"x": LONG}),
    ("x=99999999999999999999", {"x": 99999999999999999998}),
    ("x>1", {"x": "2"}),
    ("x<5", {"x": "2"}),
    ('x>"1"', {"x": 2}),
    ("x>=2026-01-01", {"x": "z"}),
    ("x>=a", {"x": 1}),
    ('reason="a, b",c', {"reason": "a"}),
]


def condition_of(
    query: str, limits: Limits = LIMITS, definition: ResourceDefinition = DEFINITION
) -> Any:
    return filtering.condition(definition, query, limits)


@pytest.mark.parametrize(("query", "resource"), FOUND)
def test_a_filter_finds(query: str, resource: dict[str, Any]) -> None:
    condition = condition_of(query)
    assert condition is None or holds(condition, resource)


@pytest.mark.parametrize(("query", "resource"), NOT_FOUND)
def test_a_filter_does_not_find(query: str, resource: dict[str, Any]) -> None:
    assert not holds(condition_of(query), resource)


@pytest.mark.parametrize("query", ["nope=1", "nope.deeper>=2", "status=x;nope=1"])
def test_unknown_filters_are_matched_refused_or_ignored(query: str) -> None:
    assert condition_of(query) is not None
    with pytest.raises(BadQuery, match="is not an attribute of this resource"):
        condition_of(query, Limits(unknown_filters=UnknownFilters.REFUSE))
    ignoring = Limits(unknown_filters=UnknownFilters.IGNORE)
    known = query.partition(";")[0] if ";" in query else ""
    assert condition_of(query, ignoring) == (condition_of(known) if known else None)


@pytest.mark.parametrize(
    ("definition", "path"), [(DEFINITION, "creationDate"), (DEFINITION_V5, "lastUpdate")]
)
@pytest.mark.parametrize("text", ["2000000000000", "01/01/2033", "tomorrow", '"x"', "", "null"])
@pytest.mark.parametrize("symbol", [">", ">=", "<", "<="])
def test_a_bound_on_a_date_is_a_date(
    definition: ResourceDefinition, path: str, text: str, symbol: str
) -> None:
    with pytest.raises(BadQuery, match="is a date-time: compare it with one"):
        condition_of(f"{path}{symbol}{text}", definition=definition)


@pytest.mark.parametrize("text", ["2000000000000", "01/01/2033", "tomorrow", '"x"', "", "true"])
@pytest.mark.parametrize(
    "query", ["creationDate={}", "creationDate!={}", "note.date={},2026-01-01"]
)
def test_what_a_date_equals_is_a_date(query: str, text: str) -> None:
    with pytest.raises(BadQuery, match=r"^is a date-time: compare it with one"):
        condition_of(query.format(text))


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T10:30:00%2B01:00", "null,2026-01-31"])
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_date_equals_an_instant_or_a_day_in_quotes_or_not(text: str, quote: str) -> None:
    query = "creationDate=" + ",".join(
        each if each == "null" else f"{quote}{each}{quote}" for each in text.split(",")
    )
    assert holds(condition_of(query), {"creationDate": "2026-01-31T09:30:00Z"})


def test_each_alternative_may_be_as_long_as_one_value_and_counts_as_one() -> None:
    limits = replace(Limits(), conditions=3, text_length=10)
    condition_of("id=" + ",".join(["x" * 10] * 3), limits)
    with pytest.raises(BadQuery, match="more than 10 characters"):
        condition_of("id=a," + "x" * 11, limits)
    with pytest.raises(BadQuery, match="one of more than 3 conditions"):
        condition_of("id=a,b&status=c,d", limits)


def test_a_hundred_ids_are_accepted() -> None:
    ids = [f"0190a000-0000-7000-8000-{each:012}" for each in range(100)]
    condition_of("id=" + ",".join(ids))
    listed = ",".join(f"'{each}'" for each in ids)
    jsonpath.condition(DEFINITION, f"$[?(@.id in [{listed}])]", LIMITS)


def test_types_that_alternatives_disagree_on_are_not_known() -> None:
    assert DEFINITION_V5.attributes.type_of(("lastUpdate",)) == "date-time"
    assert DEFINITION_V5.attributes.type_of(("relatedParty", "role")) == "string"
    assert DEFINITION_V5.attributes.type_of(("nope",)) is None
    assert "partyOrPartyRole" in DEFINITION_V5.attributes.names(("relatedParty",))
