"""What TM Forum's conformance kits expect a server to add to what they create."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server import running_server

TEXT = {"type": "string"}
TIME = {"type": "string", "format": "date-time"}
STATE = {"$ref": "#/definitions/State"}


def listed(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def item(state: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": TEXT, "state": state}}


def states(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


RESOURCES: dict[str, dict[str, Any]] = {
    "kitchenOrder": {"state": TEXT, "orderDate": TIME, "orderItem": listed(item(TEXT))},
    "flowerOrder": {"state": STATE, "orderDate": TIME, "productOrderItem": listed(item(STATE))},
    "wish": {"state": {"allOf": [STATE], "description": "How far it has come."}, "wishDate": TIME},
    "account": {"state": TEXT, "accountDate": TEXT, "completionDate": TIME},
    "recipe": {"isBundle": {"type": "boolean"}, "lifecycleStatus": TEXT, "lastUpdate": TIME},
    "offer": {"state": states("rejected", "pending", "inProgress")},
    "task": {"state": states("terminated-with-error", "done", "In Progress")},
    "verdict": {"state": states("accepted", "rejected")},
    "decision": {"status": states("rejected", "feasibilityChecked")},
    "service": {"serviceDate": TEXT},
    "queryMeal": {"queryMealDate": TIME, "recommendationItem": listed(item(TEXT))},
}
NOW = object()
REQUIRED = {"decision": ["status"]}
EXPECTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "kitchenOrder",
        {"orderItem": [{"id": "1"}, {"id": "2", "state": "cooked"}]},
        {
            "state": "acknowledged",
            "orderDate": NOW,
            "orderItem": [{"id": "1", "state": "acknowledged"}, {"id": "2", "state": "cooked"}],
        },
    ),
    (
        "flowerOrder",
        {"productOrderItem": [{"id": "1"}]},
        {"state": "new", "orderDate": NOW, "productOrderItem": [{"id": "1", "state": "new"}]},
    ),
    ("flowerOrder", {"state": "done", "orderDate": "2020-01-01T00:00:00Z"}, {"state": "done"}),
    ("wish", {}, {"state": "new", "wishDate": NOW}),
    ("account", {}, {}),
    ("recipe", {}, {"isBundle": False, "lifecycleStatus": "In study", "lastUpdate": NOW}),
    ("recipe", {"isBundle": True, "lifecycleStatus": "Active"}, {"lastUpdate": NOW}),
    ("offer", {}, {"state": "pending"}),
    ("task", {}, {"state": "In Progress"}),
    ("verdict", {}, {}),
    ("decision", {}, {"status": "feasibilityChecked"}),
    ("service", {}, {"serviceDate": NOW}),
    ("queryMeal", {}, {"queryMealDate": NOW, "recommendationItem": []}),
]


def contract() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    definitions: dict[str, Any] = {"State": {"type": "string", "enum": ["new", "done"]}}
    for name, properties in RESOURCES.items():
        definitions[name] = {"type": "object", "properties": {"id": TEXT, **properties}}
        one = {"$ref": f"#/definitions/{name}"}
        sent = {**one}
        if name in REQUIRED:
            definitions[f"{name}_Create"] = {**definitions[name]}
            definitions[name]["required"] = REQUIRED[name]
            sent = {"$ref": f"#/definitions/{name}_Create"}
        paths[f"/{name}"] = {
            "get": {"responses": {"200": {"description": "all", "schema": listed(one)}}},
            "post": {
                "parameters": [{"name": "body", "in": "body", "required": True, "schema": sent}],
                "responses": {"201": {"description": "made", "schema": one}},
            },
        }
    return {
        "swagger": "2.0",
        "info": {"title": "Kitchen", "version": "4.0.0"},
        "basePath": "/tmf-api/kitchen/v4/",
        "paths": paths,
        "definitions": definitions,
    }


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    spec: Path = tmp_path_factory.mktemp("contract") / "kitchen.json"
    spec.write_text(json.dumps(contract()))
    with (
        running_server(spec, env={"TMF_VALIDATE_RESPONSES": "true"}) as server,
        httpx.Client(base_url=server.base_url, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize(("resource", "sent", "given"), EXPECTED)
def test_a_new_resource_has_what_the_client_did_not_say(
    kitchen: httpx.Client, resource: str, sent: dict[str, Any], given: dict[str, Any]
) -> None:
    answer = kitchen.post(f"/{resource}", json=sent)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made.keys() == {"id", "href", "@type"} | sent.keys() | given.keys()
    for name, value in given.items():
        if value is NOW:
            assert made[name].endswith("Z")
            found = kitchen.get(f"/{resource}?{name}='{made[name]}'").json()
            assert made in found
        else:
            assert made[name] == value
