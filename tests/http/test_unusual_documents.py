"""A document in forms that official ones have: media types, unions, patterns, large numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.conformance import DerivedRun, run_derived, text_report
from app.contract import Contract
from app.tmf630.definitions import Change
from tests.http.conftest import error_of
from tests.http.own_documents import created, opened, serving, thing, written
from tests.server import running_server

TEXT = {"type": "string"}
BASE = "/tmf-api/unusual/v5"
LARGE = 10**30


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def answer(schema: dict[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    return {"description": "", "content": {media_type: {"schema": schema}}}


TENANT = [
    {"name": "X-Tenant", "in": "header", "required": True, "schema": TEXT},
    {"name": "tenantId", "in": "query", "required": True, "schema": TEXT},
]


def with_parameters(paths: dict[str, Any]) -> dict[str, Any]:
    """Return paths of which every operation demands a header and a parameter of the query."""
    return {path: {**item, "parameters": TENANT} for path, item in paths.items()}


def paths_of(name: str, *media_types: str, end: str = "", create: str = "") -> dict[str, Any]:
    """Return the paths of a resource; `media_types` are those of its request bodies."""
    one, place = ref(name), {"name": "id", "in": "path", "required": True, "schema": TEXT}
    fields = {"name": "fields", "in": "query", "schema": TEXT}
    kinds = media_types or ("application/json",)
    bodies = {each: {"schema": ref(create or name)} for each in kinds}
    return {
        f"/{name}{end}": {
            "get": {
                "parameters": [fields],
                "responses": {"200": answer({"type": "array", "items": one})},
            },
            "post": {
                "requestBody": {"required": True, "content": bodies},
                "responses": {"201": answer(one)},
            },
        },
        f"/{name}/{{id}}{end}": {
            "get": {"parameters": [place, fields], "responses": {"200": answer(one)}},
            "patch": {
                "parameters": [place],
                "requestBody": {"required": True, "content": bodies},
                "responses": {"200": answer(one)},
            },
            "delete": {"parameters": [place], "responses": {"204": {"description": ""}}},
        },
    }


CONTRACT = {
    "openapi": "3.0.3",
    "info": {"title": "Unusual", "version": "5.0.0"},
    "servers": [{"url": f"https://server{BASE}"}],
    "paths": {
        **paths_of("anyType", "*/*", "application/xml"),
        **paths_of("ends", end="/", create="ends_FVO"),
        **paths_of("party"),
        **paths_of("choice"),
        **paths_of("formed"),
        **paths_of("large"),
        **paths_of("reference", create="reference_FVO"),
        **with_parameters(paths_of("tenanted")),
        "/upload": {
            "post": {
                "requestBody": {
                    "content": {"multipart/form-data": {"schema": thing("file", file=TEXT)}}
                },
                "responses": {"201": answer(ref("large"))},
            }
        },
        "/listener/partycreateevent": {
            "post": {
                "requestBody": {"content": {"*/*": {"schema": ref("PartyCreateEvent")}}},
                "responses": {"204": {"description": ""}},
            }
        },
    },
    "components": {
        "schemas": {
            "anyType": thing(id=TEXT, name=TEXT),
            "ends": thing("id", id=TEXT, href=TEXT, name=TEXT),
            "ends_FVO": thing("name", name=TEXT),
            "party": {
                "oneOf": [ref("person"), ref("firm")],
                "discriminator": {
                    "propertyName": "@type",
                    "mapping": {"person": "#/components/schemas/person", "firm": "firm"},
                },
            },
            "person": thing("@type", "family", id=TEXT, href=TEXT, family=TEXT, **{"@type": TEXT}),
            "firm": thing("@type", id=TEXT, href=TEXT, trade=TEXT, **{"@type": TEXT}),
            "choice": thing(
                "who",
                "size",
                id=TEXT,
                who={"oneOf": [ref("PersonRef"), ref("FirmRef")]},
                size={"oneOf": [{"type": "integer"}, {"type": "number"}]},
                either={"oneOf": [TEXT, {"type": "boolean"}]},
            ),
            "PersonRef": thing("id", id=TEXT, name=TEXT),
            "FirmRef": thing("id", id=TEXT, role=TEXT),
            "formed": thing(
                id=TEXT,
                phone={"type": "string", "pattern": "^\\+?[0-9]+$"},
                code={"type": "string", "pattern": "^[A-Z]{3}$"},
                other={"type": "string", "pattern": "^no sample is like this [0-9]{7}$"},
                lasts={"type": "string", "format": "duration"},
                part={"type": "number", "maximum": 1},
                share={"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 0.5},
                score={"type": "integer", "minimum": 3, "maximum": 4},
                since={"type": "string", "format": "date-time", "default": "2020-01-01"},
            ),
            "large": thing(id=TEXT, size={"type": "integer", "maximum": LARGE, "minimum": -LARGE}),
            "reference": thing(
                "id", id=TEXT, to={"type": "array", "items": ref("PersonRef")}, by=ref("Author")
            ),
            "reference_FVO": thing(
                to={"type": "array", "items": thing(id=TEXT, name=TEXT)},
                by=thing(name=TEXT, role=TEXT),
            ),
            "Author": {
                "allOf": [thing("name", name=TEXT), thing(role={"type": "string", "enum": ["a"]})]
            },
            "PartyCreateEvent": thing(
                eventType=TEXT, event=thing(party={"type": "object"}), eventId=TEXT
            ),
            "tenanted": thing(id=TEXT, name=TEXT),
            "Error": {"type": "object"},
        }
    },
}
ALTERNATIVES = "has alternatives that exclude each other and are not told apart; read as anyOf"
REPAIRED = [
    "/components/schemas/formed/properties/since/default: is not of the attribute's type; left out",
    *(f"/components/schemas/choice/properties/{each}: {ALTERNATIVES}" for each in ("who", "size")),
]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(CONTRACT, tmp_path_factory.mktemp("contract"), "unusual.json")


@pytest.fixture(scope="module")
def contract(spec: Path) -> Contract:
    return opened(spec)


@pytest.fixture(scope="module")
def api(spec: Path) -> Iterator[TestClient]:
    with serving(spec, BASE) as client:
        yield client


def test_each_slip_is_told(contract: Contract) -> None:
    assert [str(each) for each in contract.repaired] == REPAIRED


def test_any_media_type_is_json_and_others_beside_it_are_not_read(
    api: TestClient, contract: Contract
) -> None:
    made = created(api, "anyType", {"name": "a"})
    assert api.patch(f"anyType/{made['id']}", json={"name": "b"}).json()["name"] == "b"
    xml = api.post("anyType", content=b"<a/>", headers={"Content-Type": "application/xml"})
    assert "application/json" in error_of(xml, 415)["message"]
    body = contract.document["paths"]["/anyType"]["post"]["requestBody"]
    assert body["content"].keys() == {"application/json"}


def test_what_is_not_json_is_not_served(api: TestClient) -> None:
    sent = api.post("upload", files={"file": b"a"})
    assert error_of(sent, 501)["message"] == "it has no JSON request body"


def test_paths_that_end_in_a_slash_are_those_without(api: TestClient) -> None:
    error_of(api.post("ends/", json={}), 400)
    made = created(api, "ends/", {"name": "a"})
    assert made["href"].endswith(f"/ends/{made['id']}")
    for path in ("ends", "ends/"):
        assert api.get(path).json() == [made]
        assert api.get(f"ends/{made['id']}{path[4:]}").json() == made


def test_every_class_of_a_union_keeps_what_it_requires_when_fields_are_selected(
    api: TestClient,
) -> None:
    person = created(api, "party?fields=id", {"@type": "person", "family": "Moon"})
    assert person.keys() == {"id", "href", "@type", "family"}
    firm = created(api, "party?fields=none", {"@type": "firm", "trade": "Moon"})
    assert firm.keys() == {"id", "href", "@type"}


def test_alternatives_that_nothing_tells_apart_are_any_of_them(api: TestClient) -> None:
    sent = {"who": {"id": "1"}, "size": 1, "either": True}
    assert created(api, "choice", sent).items() >= sent.items()
    created(api, "choice", {**sent, "size": "1"}, 400)
    published = api.get("openapi.json").json()["components"]["schemas"]["choice"]["properties"]
    assert [*published["who"]] == [*published["size"]] == ["anyOf"]
    assert "oneOf" in published["either"]


def test_numbers_of_any_size_are_published(api: TestClient) -> None:
    published = api.get("openapi.json").json()["components"]["schemas"]["large"]["properties"]
    assert published["size"]["maximum"] == LARGE
    assert created(api, "large", {"size": 10**29})["size"] == 10**29


def test_the_answer_is_published_as_it_is_where_its_schema_excludes_what_requests_have(
    api: TestClient, contract: Contract
) -> None:
    required = "is required in the answer and not in the request"
    assert contract.request_contradictions == (
        f"POST /reference: /to/*/id {required}",
        f"POST /reference: /by/name {required}",
        "POST /reference: /by/role is any text in the request and one of a list in the answer",
    )
    schemas = contract.document["components"]["schemas"]
    assert schemas["PersonRef"]["required"] == ["id"]  # what another request has, too
    name, role = schemas["Author"]["allOf"]
    assert "required" not in name
    assert role["properties"]["role"]["anyOf"][1] == TEXT
    sent = {"to": [{"name": "a"}], "by": {"role": "b"}}
    assert created(api, "reference", sent).items() >= sent.items()


def test_a_declared_parameter_that_is_no_attribute_is_no_condition(api: TestClient) -> None:
    error_of(api.get("tenanted?tenantId=1"), 400)
    headers = {"X-Tenant": "1"}
    made = api.post("tenanted?tenantId=1", json={"name": "a"}, headers=headers).json()
    found = api.get("tenanted?tenantId=1&name=a", headers=headers)
    assert found.json() == [made]
    assert api.get("tenanted?tenantId=1&name=b", headers=headers).json() == []


def test_an_event_has_the_capitals_of_its_schema(contract: Contract) -> None:
    (party,) = (each for each in contract.announced if each.definition.path.endswith("/party"))
    assert party.events[Change.CREATE].type == "PartyCreateEvent"


@pytest.mark.slow
def test_a_derived_run_finds_nothing_wrong(spec: Path, contract: Contract) -> None:
    with running_server(spec, env={"TMF_VALIDATE_RESPONSES": "true"}) as server:
        outcome = run_derived(contract, server.base_url, options=DerivedRun())
    assert outcome.failed == 0, text_report(outcome)
    tried = {each.purpose for each in outcome.exchanges if each.operation == "POST /formed"}
    assert "create with all plain attributes" in tried
    assert {each.operation for each in outcome.exchanges} >= {"DELETE /tenanted/{id}"}
