"""Documents of one version, read by another: nothing invalid, nothing lost."""

from __future__ import annotations

import copy
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.contract import Contract, ContractError, Kind, open_contract
from app.contract.document.overlay import read_overlays
from app.contract.evolution.mapping import Side, read_mapping, read_mappings
from app.contract.schema.schemas import success_schema
from app.settings import OPENAPI_FOLDER
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.representation import KEPT
from tests.app.contract.documents import random_value
from tests.conftest import OURS, OURS_V5

DOCUMENTS = 1000
SHAPE = read_mappings(OPENAPI_FOLDER / "mappings")[0].resources["partyInteraction"]


def opened(file: Path) -> Contract:
    return open_contract(
        file,
        overlays=read_overlays(OPENAPI_FOLDER / "overlays"),
        mappings=read_mappings(OPENAPI_FOLDER / "mappings"),
    )


CONTRACTS = {"4": opened(OURS), "5": opened(OURS_V5)}


def definition(version: str) -> ResourceDefinition:
    (found,) = (each.definition for each in CONTRACTS[version].bindings if each.kind is Kind.CREATE)
    assert found is not None
    return found


def random_documents(version: str, count: int) -> list[dict[str, Any]]:
    document = CONTRACTS[version].document
    schema = success_schema(document["paths"]["/partyInteraction/{id}"]["get"])
    assert schema is not None
    random = Random(version)
    made = (random_value(document, schema, random) for _ in range(count))
    return [{**each, "id": str(number)} for number, each in enumerate(made)]


BOTH_WAYS = pytest.mark.parametrize(("here", "there"), [("4", "5"), ("5", "4")])


@BOTH_WAYS
def test_what_the_other_version_reads_satisfies_its_contract(here: str, there: str) -> None:
    reader = definition(there)
    for document in random_documents(here, DOCUMENTS):
        read = reader.forms.read(copy.deepcopy(document), here)
        reader.check({"href": "http://x/", **read}, {})


@BOTH_WAYS
def test_a_round_trip_through_the_other_version_loses_nothing(here: str, there: str) -> None:
    for document in random_documents(here, DOCUMENTS):
        forms = definition(there).forms
        read = forms.read(copy.deepcopy(document), here)
        kept = forms.kept(document, here, read, read)
        stored = {**read, KEPT: kept} if kept else read
        back = definition(here).forms.read(copy.deepcopy(stored), f"{there}+kept")
        ours = {name: value for name, value in document.items() if name != "href"}
        assert {name: value for name, value in back.items() if name != "href"} == ours


@BOTH_WAYS
def test_repeated_changes_by_either_version_lose_nothing(here: str, there: str) -> None:
    for document in random_documents(here, 100):
        stored, form = copy.deepcopy(document), here
        for turn in (there, here, there, here):
            forms = definition(turn).forms
            read = forms.read(copy.deepcopy(stored), form)
            kept = forms.kept(stored, form, read, {**read, "x": turn}) if form != turn else {}
            stored = {**read, "x": turn, **({KEPT: kept} if kept else {})}
            form = f"{turn}+kept" if kept else turn
        last = definition(here).forms.read(copy.deepcopy(stored), form)
        for name in document.keys() - {"href"}:
            assert last[name] == document[name]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("channel", "relatedChannel"),
        ("channel.id", "relatedChannel.channel.id"),
        ("channel.role", "relatedChannel.role"),
        ("relatedParty", "relatedParty"),
        ("relatedParty.@referredType", "relatedParty.partyOrPartyRole.@referredType"),
        ("relatedParty.role", "relatedParty.role"),
        ("interactionItem.item.id", "interactionItem.item.entity.id"),
        ("interactionItem.channel.name", "interactionItem.relatedChannel.channel.name"),
        ("note.text", "note.text"),
        ("status", "status"),
    ],
)
def test_a_path_leads_to_the_same_value_in_both_versions(older: str, newer: str) -> None:
    assert SHAPE.move(tuple(older.split(".")), Side.NEWER) == tuple(newer.split("."))
    assert SHAPE.move(tuple(newer.split(".")), Side.OLDER) == tuple(older.split("."))


def test_a_default_is_made_up_on_one_way_and_left_out_on_the_other() -> None:
    new = SHAPE.translate({"channel": [{"id": "5", "href": "/channel/5"}]}, Side.NEWER)
    inner = {"@type": "ChannelRef", "id": "5"}
    assert new["relatedChannel"] == [{"@type": "RelatedChannel", "channel": inner}]
    old = SHAPE.translate(new, Side.OLDER)
    assert old["channel"] == [{"id": "5", "href": "/channel/5"}]


def test_what_is_not_an_object_stays_as_it_is() -> None:
    odd = {"channel": "shop", "relatedParty": [None, 7, "x"], "note": {"text": "one"}}
    assert SHAPE.translate(odd, Side.NEWER)["relatedChannel"] == "shop"
    assert SHAPE.translate(odd, Side.NEWER)["relatedParty"] == [None, 7, "x"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("api: a\nolder: '1'\nnewer: '2'", "/resources: must be an object"),
        ("older: '1'\nnewer: '2'\nresources: {}", "/api: must be a text"),
        ("api: a\nolder: 1\nnewer: '2'\nresources: {}", "/older: must be a text"),
        ("api: a\nolder: '1'\nnewer: '2'\nresources: {r: s}", "no shape is named s"),
        (
            "api: a\nolder: '1'\nnewer: '2'\nresources: {r: {nets: x}}",
            "/resources/r: must be a shape",
        ),
    ],
)
def test_a_broken_mapping_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "broken.mapping.yaml"
    file.write_text(text)
    with pytest.raises(ContractError, match=says):
        read_mapping(file)
