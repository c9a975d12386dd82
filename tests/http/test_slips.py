"""A document with slips that leave one meaning is served as it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.conformance import DerivedRun, run_derived, text_report
from app.contract import Contract
from app.contract.warnings import warnings_of
from app.tmf630.definitions import Change
from tests.http.own_documents import created, opened, serving, thing, written
from tests.server import running_server

TEXT = {"type": "string"}
INTEGER = {"type": "integer"}
BASE = "/tmf-api/slips/v4"


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def many(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": "body", "in": "body", "required": True, "schema": schema}


def paths_of(
    name: str,
    *,
    id: dict[str, Any] = TEXT,
    create: dict[str, Any] | None = None,
    created: dict[str, Any] | None = None,
    listed: dict[str, Any] | None = None,
    read: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the paths of a resource, of which some schemas may be others than they should."""
    one = ref(name)
    place = {"name": "id", "in": "path", "required": True, **id}
    ok = {"description": ""}
    return {
        f"/{name}": {
            "get": {"responses": {"200": {**ok, "schema": listed or many(one)}}},
            "post": {
                "parameters": [body(create or one)],
                "responses": {"201": {**ok, "schema": created or one}},
            },
        },
        f"/{name}/{{id}}": {
            "get": {"parameters": [place], "responses": {"200": {**ok, "schema": read or one}}},
            "patch": {
                "parameters": [place, body(one)],
                "responses": {"200": {**ok, "schema": one}},
            },
            "delete": {"parameters": [place], "responses": {"204": ok}},
        },
    }


def listener(name: str) -> dict[str, Any]:
    event = thing(eventType=TEXT, event=thing(engine=ref("engine")))
    return {"post": {"parameters": [body(event)], "responses": {"204": {"description": ""}}}}


CONTRACT = {
    "swagger": "2.0",
    "info": {"title": "Slips", "version": "4.0.0"},
    "basePath": f"{BASE}/",
    "paths": {
        **paths_of("counted", id=INTEGER),
        **paths_of("numbered", id=INTEGER),
        **paths_of("nested", create=ref("nestedCreate")),
        **paths_of("association", create=thing(name=TEXT), created=many(ref("association"))),
        **paths_of("single", listed=ref("single")),
        **paths_of("plural", read=many(ref("plural"))),
        **paths_of("batch", create=many(ref("batch"))),
        **paths_of("several", create=many(ref("several_Create")), created=many(ref("several"))),
        **paths_of("loose", create=thing(due=TEXT, kind=TEXT)),
        **paths_of("engine"),
        **paths_of("motor", create=ref("Drive"), created=ref("Drive"), read=ref("Drive")),
        "/listener/driveRemoveEvent": listener("driveRemoveEvent"),
        "/listener/engineStateChange": listener("engineStateChange"),
        "/listener/engineChangeEvent": listener("engineChangeEvent"),
        "/hub": {
            "post": {
                "parameters": [body(thing("callback", callback=TEXT, query=TEXT))],
                "responses": {"201": {"description": "", "schema": ref("Subscription")}},
            }
        },
        "/hub/{id}": {
            "delete": {
                "parameters": [{"name": "id", "in": "path", "required": True, **TEXT}],
                "responses": {"204": {"description": ""}},
            }
        },
    },
    "definitions": {
        "counted": thing(id=INTEGER, name=TEXT),
        "numbered": thing(id=TEXT, name=TEXT),
        "nested": thing("ghost", id=TEXT, part=many(ref("PartRef")), whole=ref("Whole")),
        "nestedCreate": thing(part=many(ref("PartRef")), whole=ref("Whole")),
        "PartRef": thing("id", itemId=TEXT),
        "Whole": {"allOf": [ref("Base"), thing("name", colour=TEXT)]},
        "Base": thing("name", "size", "colour", name=TEXT),
        "association": thing(id=TEXT, name=TEXT),
        "single": thing(id=TEXT, name=TEXT),
        "plural": thing(id=TEXT, name=TEXT),
        "batch": thing(id=TEXT, name=TEXT),
        "several": thing("id", "href", id=TEXT, href=TEXT, name=TEXT, status=TEXT),
        "several_Create": thing("name", "href", id=TEXT, href=TEXT, name=TEXT),
        "loose": thing(
            id=TEXT,
            due={"type": "string", "format": "date-time"},
            kind={"type": "string", "enum": ["a"], "maxLength": 3},
        ),
        "motor": thing(id=TEXT, name=TEXT),
        "Drive": thing(id=TEXT, name=TEXT),
        "engine": thing(id=TEXT, name=TEXT, operationalState=TEXT),
        "Subscription": thing("id", "callback", id=TEXT, callback=TEXT, query=TEXT),
        "Error": {"type": "object"},
    },
}
REPAIRED = [
    "/paths/~1association/post: answers a list; read as one",
    "/paths/~1single/get: answers one; read as a list",
    "/paths/~1plural~1{id}/get: answers a list; read as one",
    "/paths/~1numbered~1{id}: has the id as a number, and the schemas of the resource as string;"
    " read as string",
    "/components/schemas/nested: requires ghost without declaring it; left out",
    "/components/schemas/PartRef: requires id without declaring it; left out",
    "/components/schemas/Base: requires size without declaring it; left out",
    "/paths/~1several/post/requestBody/content/application~1json: requires href, which no client"
    " can send; no longer required",
    "/paths/~1several~1{id}/patch/requestBody/content/application~1json: requires href, id, which"
    " no client can send; no longer required",
]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(CONTRACT, tmp_path_factory.mktemp("contract"), "slips.json")


@pytest.fixture(scope="module")
def contract(spec: Path) -> Contract:
    return opened(spec)


@pytest.fixture(scope="module")
def api(spec: Path) -> Iterator[TestClient]:
    with serving(spec, BASE) as client:
        yield client


def test_each_slip_is_told(contract: Contract) -> None:
    assert [str(each) for each in contract.repaired] == REPAIRED


def test_clients_choose_ids_that_are_integers(api: TestClient) -> None:
    assert created(api, "counted", {"id": 77})["id"] == 77
    assert created(api, "counted", {"id": 78.0})["href"].endswith("/counted/78")
    assert api.get("counted/78").json()["id"] == 78
    for wrong in ("79", -1, 2**53, 1.5):
        assert "/id" in created(api, "counted", {"id": wrong}, 400)["message"]


def test_ids_that_are_integers_are_compared_for_equality(api: TestClient) -> None:
    assert created(api, "counted", {"id": 5})["id"] == 5
    for query in ("id=5", "filter=$[?(@.id==5)]"):
        assert [each["id"] for each in api.get(f"counted?{query}").json()] == [5]
    for query in ("id>5", "id.lte=5", "filter=$[?(@.id>5)]"):
        answer = api.get(f"counted?{query}")
        assert (answer.status_code, "equality" in answer.json()["message"]) == (400, True)


def test_nobody_has_to_send_what_is_not_declared(api: TestClient) -> None:
    sent = {"part": [{"itemId": "1"}], "whole": {"name": "a", "colour": "red"}}
    assert created(api, "nested", sent)["part"] == sent["part"]
    refused = created(api, "nested", {"whole": {"size": 1}}, 400)
    assert refused["message"] == "/whole/name is required; /whole/colour is required"


def test_one_resource_is_answered_as_one_and_a_collection_as_a_list(api: TestClient) -> None:
    assert created(api, "association", {"name": "a"})["name"] == "a"
    single, plural = (created(api, name, {"name": "a"}) for name in ("single", "plural"))
    assert api.get("single").json() == [single]
    assert api.get(f"plural/{plural['id']}").json() == plural


def test_a_creation_of_several_is_not_served(api: TestClient) -> None:
    refused = created(api, "batch", [{"name": "a"}], 501)
    assert refused["message"] == "it takes a list of resources, and does not answer with one"
    assert "501" in api.get("openapi.json").json()["paths"]["/batch"]["post"]["responses"]


def test_a_list_of_resources_is_created_whole_or_not_at_all(api: TestClient) -> None:
    made = created(api, "several", [{"name": "a", "id": "1"}, {"name": "b"}])
    assert [each["name"] for each in made] == ["a", "b"]
    assert [api.get(each["href"]).json() for each in made] == made
    assert created(api, "several?fields=name", [{"name": "c"}])[0].keys() == {"id", "href", "name"}
    there = api.get("several").json()
    assert len(there) == 3
    for refused, status in [
        ([{"name": "d"}, {"name": 5}], 400),
        ([{"name": "d"}, {}], 400),
        ([{"name": "d"}, {"name": "e", "id": "1"}], 409),
        ([{"name": "d", "id": "2"}, {"name": "e", "id": "2"}], 409),
        ({"name": "d"}, 400),
        ([{"name": "d", "id": "/"}], 400),
    ]:
        created(api, "several", refused, status)
    assert created(api, "several", []) == []
    assert api.get("several").json() == there


def test_a_resource_has_the_state_that_its_attributes_are_named_by(contract: Contract) -> None:
    (engine,) = (each for each in contract.announced if each.definition.type == "engine")
    assert engine.definition.states == {"operationalState"}
    assert engine.events.keys() == {Change.ATTRIBUTE, Change.STATUS}


def test_events_may_be_named_by_the_class_of_a_resource(contract: Contract) -> None:
    (motor,) = (each for each in contract.announced if each.definition.type == "Drive")
    assert {each: event.type for each, event in motor.events.items()} == {
        Change.DELETE: "DriveRemoveEvent"
    }
    assert warnings_of(contract) == [
        "POST /batch is not served: it takes a list of resources, and does not answer with one"
    ]


@pytest.mark.slow
def test_a_derived_run_finds_nothing_wrong(spec: Path, contract: Contract) -> None:
    env = {"TMF_VALIDATE_RESPONSES": "true", "TMF_CALLBACK_ALLOW": "127.0.0.1"}
    with running_server(spec, store="memory:", env=env) as server:
        options = DerivedRun(listener="http://127.0.0.1", event_seconds=60)
        outcome = run_derived(contract, server.base_url, options=options)
    assert outcome.failed == 0, text_report(outcome)
    asserted = {each.name for exchange in outcome.exchanges for each in exchange.assertions}
    assert {"EngineChangeEvent is delivered", "EngineStateChange is delivered"} <= asserted
    tried = {each.operation for each in outcome.exchanges}
    assert {"PATCH /counted/{id}", "DELETE /counted/{id}"} <= tried
