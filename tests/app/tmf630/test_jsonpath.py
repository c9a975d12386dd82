from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.application import limits_of, open_contracts
from app.contract import Contract, Kind
from app.settings import read_settings
from app.tmf630 import jsonpath
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.errors import BadQuery
from tests.conftest import OURS, OURS_V5

SETTINGS = read_settings(spec=(OURS, OURS_V5), store="memory:")
CONTRACTS = open_contracts(SETTINGS)
LIMITS = limits_of(SETTINGS)


def definition_of(contract: Contract) -> ResourceDefinition:
    (definition,) = (each.definition for each in contract.bindings if each.kind is Kind.LIST)
    assert definition is not None
    return definition


def declared(contract: Contract) -> str:
    """Return the pattern by which a contract says which filters are accepted in any case."""
    operation = contract.document["paths"]["/partyInteraction"]["get"]
    (parameter,) = (each for each in operation["parameters"] if each["name"] == "filter")
    assert re.search(parameter["schema"]["anyOf"][0]["pattern"], parameter["example"])
    return str(parameter["schema"]["anyOf"][0]["pattern"])


@given(
    text=st.from_regex(declared(CONTRACTS[0]), fullmatch=True), contract=st.sampled_from(CONTRACTS)
)
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_what_the_contract_declares_is_accepted(text: str, contract: Contract) -> None:
    """Swagger UI, generated clients and fuzzers go by the schema, though the server takes more."""
    jsonpath.condition(definition_of(contract), text, LIMITS)


@pytest.mark.parametrize("text", ["", "status", "a.b", "ñ", "true", "'a'", "a==1", "*", "0"])
def test_what_names_neither_root_nor_element_is_no_predicate(text: str) -> None:
    with pytest.raises(BadQuery, match="no JSONPath predicate"):
        jsonpath.condition(definition_of(CONTRACTS[0]), text, LIMITS)
