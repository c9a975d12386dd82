from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.application import limits_of, open_contracts
from app.contract import Contract, Kind
from app.settings import read_settings
from app.tmf630 import jsonpath
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.errors import BadQuery
from storage import holds
from tests.conftest import OURS, OURS_V5

SETTINGS = read_settings(spec=(OURS, OURS_V5), store="memory:")
CONTRACTS = open_contracts(SETTINGS)
LIMITS = limits_of(SETTINGS)


def definition_of(contract: Contract) -> ResourceDefinition:
    (definition,) = (each.definition for each in contract.bindings if each.kind is Kind.LIST)
    assert definition is not None
    return definition


@pytest.mark.parametrize("contract", CONTRACTS, ids=["v4", "v5"])
def test_the_example_that_a_contract_gives_is_accepted(contract: Contract) -> None:
    operation = contract.document["paths"]["/partyInteraction"]["get"]
    (parameter,) = (each for each in operation["parameters"] if each["name"] == "filter")
    assert jsonpath.condition(definition_of(contract), parameter["example"], LIMITS) is not None


COMPARISONS = st.builds(
    "@.x{}{}{}".format,
    st.from_regex(r"[a-z]{0,8}(\.[a-z]{1,8})?", fullmatch=True),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.one_of(st.integers().map(str), st.from_regex(r"'[a-zA-Z0-9 ,;&|()]*'", fullmatch=True)),
)


@given(
    comparisons=st.lists(COMPARISONS, min_size=1, max_size=5),
    joint=st.sampled_from([" && ", "||"]),
    contract=st.sampled_from(CONTRACTS),
)
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_joined_comparisons_are_accepted(
    comparisons: list[str], joint: str, contract: Contract
) -> None:
    text = f"$[?({joint.join(comparisons)})]"
    assert jsonpath.condition(definition_of(contract), text, LIMITS) is not None


@pytest.mark.parametrize(
    "query",
    ["@.x=='+49'", "@.x == '+49'", "%40.x%20==%20%22+49%22", "@.x=='%2B49'", "@.x+==+'%2B49'"],
)
def test_a_plus_before_a_number_is_one(query: str) -> None:
    (text,) = jsonpath.texts(f"limit=1&filter={query}&fields=x")
    assert holds(jsonpath.condition(definition_of(CONTRACTS[0]), text, LIMITS), {"x": "+49"})


@pytest.mark.parametrize("text", ["", "status", "a.b", "ñ", "true", "'a'", "a==1", "*", "0"])
def test_what_names_neither_root_nor_element_is_no_predicate(text: str) -> None:
    with pytest.raises(BadQuery, match="no JSONPath predicate"):
        jsonpath.condition(definition_of(CONTRACTS[0]), text, LIMITS)
