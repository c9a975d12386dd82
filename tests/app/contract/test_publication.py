"""The contract as it is published: for generators, without the server's data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from app.contract import open_contract
from app.contract.document.overlay import read_overlays
from app.contract.document.publication import published
from app.contract.document.validate import resolve
from app.contract.schema.validators import SchemaCompiler, View
from app.settings import OPENAPI_FOLDER
from tests.conftest import OURS, OURS_V5, official_specs

MEMBER = "/partyInteraction/{id}"


def documents() -> list[Path]:
    return [OURS, OURS_V5, *sorted(official_specs().glob("TMF*"))]


@cache
def effective(file: Path) -> dict[str, Any]:
    overlays = read_overlays(OPENAPI_FOLDER / "overlays")
    return open_contract(file, overlays=overlays).document


@cache
def shown(file: Path) -> dict[str, Any]:
    return published(effective(file))


@pytest.fixture(scope="module", params=[OURS, OURS_V5], ids=["v4", "v5"])
def ours(request: pytest.FixtureRequest) -> dict[str, Any]:
    return shown(request.param)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from objects(each)


@pytest.mark.slow
def test_every_published_document_is_valid_openapi() -> None:
    for file in documents():
        document = shown(file)
        modern = document["openapi"].startswith("3.1")
        validator = OpenAPIV31SpecValidator if modern else OpenAPIV30SpecValidator
        assert not list(validator(document).iter_errors()), file.name


def test_headers_and_filters_are_plain_texts_with_examples(ours: dict[str, Any]) -> None:
    for item in ours["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" or parameter["name"] == "after":
                    continue
                assert "example" in parameter, parameter["name"]
                if parameter["name"] in ("If-Match", "If-None-Match", "filter"):
                    assert parameter["schema"] == {"type": "string"}
                    assert parameter["description"]


def test_a_change_answers_with_the_resource_as_json_alone(ours: dict[str, Any]) -> None:
    content = ours["paths"][MEMBER]["patch"]["responses"]["200"]["content"]
    assert content.keys() == {"application/json"}
    schema = content["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/PartyInteraction"}


def test_the_statuses_of_each_operation_are_declared(ours: dict[str, Any]) -> None:
    collection, member = ours["paths"]["/partyInteraction"], ours["paths"][MEMBER]
    every = {"400", "403", "429", "500", "503"}
    assert collection["get"]["responses"].keys() >= every | {"200", "404"}
    assert collection["post"]["responses"].keys() >= every | {"201", "409", "412", "413", "415"}
    change = {"404", "409", "412", "428"}
    assert member["patch"]["responses"].keys() >= every | change | {"200", "413", "415"}
    assert member["delete"]["responses"].keys() >= every | change | {"204"}
    for code in ("409", "412", "428"):
        content = member["patch"]["responses"][code]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Error"}


def test_indexed_attributes_are_query_parameters(ours: dict[str, Any]) -> None:
    names = {each["name"] for each in ours["paths"]["/partyInteraction"]["get"]["parameters"]}
    assert {"status", "direction", "creationDate", "creationDate.gte", "creationDate.lt"} <= names
    assert names & {"relatedParty.id", "relatedParty.partyOrPartyRole.id"}
    assert names & {"channel.id", "relatedChannel.channel.id"}


def test_what_only_the_server_reads_is_left_out(ours: dict[str, Any]) -> None:
    text = json.dumps(ours)
    for word in ("x-accepts-more", "x-open-discriminator", "x-other-classes", "x-request-rules"):
        assert word not in text


def test_the_cases_of_a_union_are_told_apart_by_one_attribute() -> None:
    unions = 0
    for file in documents():
        document = shown(file)
        schemas = document["components"]["schemas"]
        for union in objects(document):
            if "discriminator" not in union:
                continue
            attribute = union["discriminator"]["propertyName"]
            taken: list[str] = []
            for case in union["oneOf"]:
                schema = schemas[case["$ref"].rpartition("/")[2]]
                assert "allOf" not in schema
                assert attribute in schema["required"]
                taken += schema["properties"][attribute]["enum"]
            assert len(taken) == len(set(taken))
            assert union["discriminator"]["mapping"].keys() == set(taken)
            unions += 1
    assert unions > 10


def test_every_component_is_used_and_every_reference_leads_to_one(ours: dict[str, Any]) -> None:
    references = {each["$ref"] for each in objects(ours) if isinstance(each.get("$ref"), str)}
    assert all(resolve(ours, each) is not None for each in references)
    for kind, parts in ours["components"].items():
        if kind != "securitySchemes":
            assert {f"#/components/{kind}/{name}" for name in parts} <= references


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, View, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for definition in operation.get("requestBody", {}).get("content", {}).values():
                yield f"{method} {path}", View.REQUEST, definition
            for code, response in operation["responses"].items():
                for definition in response.get("content", {}).values():
                    yield f"{method} {path} {code}", View.RESPONSE, definition


def test_every_body_has_an_example_that_its_schema_allows() -> None:
    shown_in_all = missing = 0
    for file in documents():
        document = effective(file)
        compiler = SchemaCompiler(document)
        for place, view, definition in bodies(document):
            if not definition.get("schema"):
                continue
            examples = [definition["example"]] if "example" in definition else []
            for each in definition.get("examples", {}).values():
                while "$ref" in each:
                    each = resolve(document, each["$ref"])
                examples.append(each["value"])
            validator = compiler.compile(definition["schema"], view)
            for example in examples:
                assert not validator.violations(example), (file.name, place)
            shown_in_all += bool(examples)
            missing += not examples
            assert examples or file not in (OURS, OURS_V5), place
    assert missing < shown_in_all / 100


def test_the_alternatives_of_what_an_object_needs_are_published() -> None:
    schema = shown(OURS)["components"]["schemas"]["RelatedParty_Request"]
    assert not schema.keys() & {"anyOf", "oneOf"}  # generators make classes of these
    validator = jsonschema_rs.validator_for(schema)
    for body, valid in (
        ({"id": "1"}, False),
        ({"id": "1", "role": "customer"}, True),
        ({"id": "1", "@referredType": "Individual"}, True),
        ({"role": "customer"}, False),
    ):
        assert validator.is_valid(body) is valid, body
