"""A contract of another kind: PUT, 206, a parameter of another name, sub-resources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bootstrap import open_contracts
from app.conformance.derived import run_derived
from app.identity.api_keys import make_key
from app.settings import read_settings
from app.tmf630.caller import Access
from tests.http.conftest import error_of
from tests.server import running_server

THING = {"$ref": "#/components/schemas/Thing"}
TASK = {"$ref": "#/components/schemas/Task"}
NUMBERED = {"type": "object", "properties": {"id": {"type": "integer"}}}
PLAIN = {"application/json": {"schema": THING, "example": {"name": 7}}}
HUB = {"type": "object", "properties": {"callback": {"type": "string"}}, "required": ["callback"]}


def answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def body() -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": THING}}}


CONTRACT = {
    "openapi": "3.0.3",
    "info": {"title": "Thing Catalogue", "version": "2.0"},
    "paths": {
        "/thing": {
            "get": {
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                "responses": {
                    "200": answer({"type": "array", "items": THING}),
                    "206": answer({"type": "array", "items": THING}),
                },
            },
            "post": {"requestBody": body(), "responses": {"201": answer(THING)}},
        },
        "/thing/{thingId}": {
            "parameters": [
                {"name": "thingId", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": {"responses": {"200": answer(THING)}},
            "put": {"requestBody": body(), "responses": {"200": answer(THING)}},
            "delete": {"responses": {"204": {"description": ""}}},
        },
        "/thing/{thingId}/part": {
            "parameters": [
                {"name": "thingId", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": {"responses": {"200": answer({"type": "array", "items": THING})}},
            "post": {"requestBody": body(), "responses": {"202": answer(THING)}},
        },
        "/thing/{thingId}/part/{partId}": {
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in ("thingId", "partId")
            ],
            "get": {"responses": {"200": answer(THING)}},
            "patch": {"requestBody": body(), "responses": {"200": answer(THING)}},
            "delete": {"responses": {"200": {"description": ""}}},
        },
        "/checkThing": {"post": {"requestBody": body(), "responses": {"200": answer(TASK)}}},
        "/thing/newest": {"get": {"responses": {"200": answer({"type": "array", "items": THING})}}},
        "/findThing": {
            "post": {
                "requestBody": body(),
                "responses": {"200": answer({"type": "array", "items": THING})},
            },
        },
        "/wish": {
            "post": {"requestBody": body(), "responses": {"204": {"description": "kept"}}},
        },
        "/wish/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "put": {"requestBody": body(), "responses": {"204": {"description": "kept"}}},
        },
        "/weather": {"get": {"responses": {"200": answer(THING)}}},
        "/counted": {
            "get": {
                "parameters": [
                    {"name": "name", "in": "query", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": answer({"type": "array", "items": NUMBERED})},
            },
            "post": {"requestBody": body(), "responses": {"default": answer(NUMBERED)}},
        },
        "/plain": {
            "get": {
                "parameters": [
                    {"name": "name", "in": "query", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": answer({"type": "array", "items": THING})},
            },
            "post": {
                "requestBody": body() | {"content": PLAIN},
                "responses": {"default": answer(THING)},
            },
        },
        "/thing/{thingId}/hub": {
            "parameters": [
                {"name": "thingId", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": {"responses": {"200": answer({"type": "array", "items": HUB})}},
            "post": {
                "requestBody": {"content": answer(HUB)["content"], "required": True},
                "responses": {"201": answer(HUB)},
            },
        },
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "id": {"type": "string", "readOnly": True},
                    "name": {"type": "string"},
                    "colour": {"type": "string"},
                    "creationDate": {"type": "string", "format": "date-time"},
                    "lastUpdate": {"type": "string", "format": "date-time"},
                },
            },
            "Task": {
                "type": "object",
                "properties": {"state": {"type": "string", "enum": ["queued", "done"]}},
            },
            "Error": {"type": "object"},
        }
    },
}


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    spec: Path = tmp_path_factory.mktemp("contract") / "things.json"
    spec.write_text(json.dumps(CONTRACT))
    environment = {"TMF_VALIDATE_RESPONSES": "true"}
    with (
        running_server(spec, env=environment) as server,
        httpx.Client(base_url=server.base_url, trust_env=False) as client,
    ):
        assert server.base_url.endswith("/tmf-api/thingCatalogue/v2")
        yield client


def test_put_replaces_all_but_what_the_server_manages(things: httpx.Client) -> None:
    created = things.post("/thing", json={"name": "a", "colour": "red", "x": 1}).json()
    tag = things.get(f"/thing/{created['id']}").headers["etag"]
    change = {"name": "b", "creationDate": "2001-01-01T00:00:00Z"}
    answer = things.put(f"/thing/{created['id']}", json=change, headers={"If-Match": tag})
    assert answer.status_code == 200, answer.text
    replaced = answer.json()
    assert replaced["name"] == "b"
    assert not {"colour", "x"} & replaced.keys()
    assert replaced["creationDate"] == change["creationDate"]
    for kept in ("id", "href"):
        assert replaced[kept] == created[kept]
    assert replaced["lastUpdate"] >= created["lastUpdate"]
    assert things.get(f"/thing/{created['id']}").json() == replaced
    again = things.put(f"/thing/{created['id']}", json=change, headers={"If-Match": tag})
    error_of(again, 412)
    error_of(things.put(f"/thing/{created['id']}", json={"colour": "red"}), 400)
    error_of(things.put("/thing/none", json={"name": "c"}), 404)
    for name in ("id", "href"):
        other = things.put(f"/thing/{created['id']}", json={"name": "c", name: "other"})
        assert f"/{name}" in error_of(other, 400)["message"]
    back = things.put(f"/thing/{created['id']}", json=replaced | {"name": "c"})
    assert back.json() == replaced | {"name": "c", "lastUpdate": back.json()["lastUpdate"]}
    assert things.put(f"/thing/{created['id']}", json={"name": "c"}).json() == back.json()


def test_a_part_of_a_list_is_a_206_where_the_contract_says_so(things: httpx.Client) -> None:
    for name in "abc":
        things.post("/thing", json={"name": name, "colour": "paged"})
    whole = things.get("/thing?colour=paged")
    part = things.get("/thing?colour=paged&limit=2")
    assert (whole.status_code, len(whole.json())) == (200, 3)
    assert (part.status_code, len(part.json())) == (206, 2)


def thing(things: httpx.Client) -> str:
    return str(things.post("/thing", json={"name": "whole"}).json()["id"])


def test_a_resource_within_another_is_kept_there(things: httpx.Client) -> None:
    one, other = thing(things), thing(things)
    answer = things.post(f"/thing/{one}/part", json={"name": "wheel", "colour": "red"})
    assert answer.status_code == 202  # the only success the contract has
    part = answer.json()
    assert answer.headers["location"] == part["href"]
    assert part["href"].endswith(f"/thing/{one}/part/{part['id']}")
    assert things.get(part["href"]).json() == part
    assert things.get(f"/thing/{one}/part").json() == [part]
    assert things.get(f"/thing/{one}/part?colour=red&id={part['id']}").json() == [part]
    assert things.get(f"/thing/{one}/part?colour=blue").json() == []
    assert things.get(f"/thing/{one}/part?fields=name").json() == [
        {name: part[name] for name in ("id", "href", "name")}
    ]
    assert things.get(f"/thing/{one}/part/{part['id']}?fields=none").json().keys() == {
        "id",
        "href",
        "name",
    }  # the contract cannot have the name left out
    assert things.get(f"/thing/{other}/part").json() == []
    error_of(things.get(f"/thing/{other}/part/{part['id']}"), 404)


def test_a_resource_within_another_changes_and_goes(things: httpx.Client) -> None:
    part = things.post(f"/thing/{thing(things)}/part", json={"name": "wheel"}).json()
    changed = things.patch(part["href"], json={"name": "rim"}).json()
    assert (changed["id"], changed["href"], changed["name"]) == (part["id"], part["href"], "rim")
    assert things.delete(part["href"]).status_code == 200
    error_of(things.get(part["href"]), 404)


def test_there_is_nothing_within_what_does_not_exist(things: httpx.Client) -> None:
    error_of(things.get("/thing/none/part"), 404)
    error_of(things.post("/thing/none/part", json={"name": "wheel"}), 404)


def test_a_hub_may_lie_within_a_resource(things: httpx.Client) -> None:
    listener = {"callback": "http://listener.example/"}
    one, other = thing(things), thing(things)
    assert things.post(f"/thing/{one}/hub", json=listener).status_code == 201
    error_of(things.post(f"/thing/{one}/hub", json=listener), 409)
    assert things.post(f"/thing/{other}/hub", json=listener).status_code == 201
    assert [each["callback"] for each in things.get(f"/thing/{one}/hub").json()] == [
        listener["callback"]
    ]


def test_a_task_starts_with_an_initial_state_of_its_contract(things: httpx.Client) -> None:
    answer = things.post("/checkThing", json={"name": "a"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "queued"


def test_a_path_without_parameters_comes_first(things: httpx.Client) -> None:
    assert things.get("/thing/newest").json() == []
    error_of(things.get("/thing/oldest"), 404)


def test_a_success_of_204_alone_has_no_body(things: httpx.Client) -> None:
    for _ in range(2):  # the connection stays good
        kept = things.post("/wish", json={"name": "a"})
        assert (kept.status_code, kept.content) == (204, b"")
        assert kept.headers.keys() >= {"location", "etag"}
        again = things.put(kept.headers["location"], json={"name": "b"})
        assert (again.status_code, again.content) == (204, b"")


def test_what_has_no_handler_answers_501(things: httpx.Client) -> None:
    error_of(things.post("/findThing", json={"name": "a"}), 501)
    assert "one object" in error_of(things.get("/weather"), 501)["message"]
    error_of(things.patch("/thing/1", json={}), 405)


def test_ids_that_are_integers_are_served_as_integers(things: httpx.Client) -> None:
    made = things.post("/counted", json={"name": "a"})
    assert made.status_code in (200, 201), made.text
    id = made.json()["id"]
    assert isinstance(id, int)
    assert 0 < id < 2**53
    assert made.json()["href"].endswith(f"/counted/{id}")
    listed = things.get("/counted", params={"name": "a", "id": str(id)}).json()
    assert [each["id"] for each in listed] == [id]


def test_a_run_derived_from_the_contract_has_no_complaints(
    things: httpx.Client, tmp_path: Path
) -> None:
    spec = tmp_path / "things.json"
    spec.write_text(json.dumps(CONTRACT))
    (contract,) = open_contracts(read_settings(spec=(spec,)))
    assert [each.pointer for each in contract.contradictions] == [
        "/paths/~1plain/post/requestBody/content/application~1json/example"
    ]
    outcome = run_derived(contract, str(things.base_url))
    failed = [
        f"{each.url} {assertion.failure}"
        for each in outcome.exchanges
        for assertion in each.assertions
        if not assertion.passed
    ]
    assert failed == []


def test_a_hub_lists_its_callers_subscriptions(tmp_path: Path) -> None:
    hub = {name: CONTRACT["paths"]["/thing/{thingId}/hub"][name] for name in ("get", "post")}
    spec = tmp_path / "hub.json"
    spec.write_text(json.dumps(CONTRACT | {"paths": {"/hub": hub}}))
    keys = [make_key(name, [Access.SUBSCRIBE]) for name in ("one", "other")]
    environment = {"TMF_API_KEYS": ",".join(entry for _, entry in keys)}
    with running_server(spec, env=environment) as server:
        for key, _ in keys:
            with httpx.Client(
                base_url=server.base_url, trust_env=False, headers={"X-API-Key": key}
            ) as client:
                made = client.post("/hub", json={"callback": "http://listener.example/"})
                assert made.status_code == 201, made.text
                listed = client.get("/hub")
                assert listed.json() == [made.json()]
                assert listed.headers["X-Total-Count"] == "1"
