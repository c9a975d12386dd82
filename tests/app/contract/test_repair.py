"""Slips of published documents that need not stop the server."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from app.contract import open_contract
from app.contract.document.load import Json
from app.contract.document.repair import repair
from app.contract.document.validate import validate

ID = {"name": "id", "in": "path", "required": True, "type": "string"}
OK = {"200": {"description": "ok", "schema": {"$ref": "#/definitions/Pot"}}}
SOUND: Json = {
    "swagger": "2.0",
    "info": {"title": "Pots", "version": "4.0"},
    "basePath": "/tmf-api/pots/v4",
    "parameters": {"Id": {**ID}},
    "paths": {
        "/pot/{id}": {
            "get": {"operationId": "a", "parameters": [ID], "responses": OK},
            "delete": {
                "operationId": "b",
                "parameters": [{"$ref": "#/parameters/Id"}],
                "responses": {"204": {"description": "gone"}},
            },
        },
        "/pot": {
            "get": {
                "parameters": [{"name": "n", "in": "query", "type": "integer"}],
                "responses": {
                    "200": {
                        "description": "ok",
                        "schema": {"type": "array", "items": {"$ref": "#/definitions/Pot"}},
                    }
                },
            }
        },
    },
    "definitions": {
        "Pot": {
            "type": "object",
            "required": ["lid"],
            "properties": {
                "lid": {"type": "string", "default": "tin", "example": "glass"},
                "required": {"type": "boolean", "default": True},
                "sizes": {"type": "array", "items": {"type": "integer"}, "default": []},
            },
        }
    },
}
GET = "/paths/~1pot~1{id}/get"
LID = "/definitions/Pot/properties/lid"
SLIPS: list[tuple[str, Any, str]] = [
    ("/info/version", 4.0, "/info/version: is a number"),
    ("/info/contact", {"email": "TM Forum"}, "/info/contact: "),
    ("/info/license", {"url": "https://example.com"}, "/info/license: "),
    ("/basePath", "tmf-api/pots/v4", "/basePath: "),
    ("/host", "https://example.com/root", "/host: "),
    ("/paths/~1pot~1{id}/delete/operationId", "a", "/paths/~1pot~1{id}/delete: has the opera"),
    (f"{GET}/parameters", [], f"{GET}: does not declare its path parameter 'id'"),
    (f"{GET}/parameters/0/name", "potId", f"{GET}: does not declare its path parameter 'id'"),
    (f"{GET}/responses", {"200": {}}, f"{GET}/responses/200: has no description"),
    (f"{LID}/default", 7, f"{LID}/default: is not of the attribute's type"),
    (f"{LID}/example", ["glass"], f"{LID}/example: "),
    (f"{LID}/required", True, f"{LID}/required: is not a list of names"),
    ("/definitions/Pot/required", [], "/definitions/Pot/required: "),
    (f"{LID}/format", "date", f"{LID}/default: "),
    (f"{LID}/enum", ["tin", "glass", 2], f"{LID}/enum: has values that are not of type string"),
    (
        "/definitions/Pot/properties/sizes/items/enum",
        ["1", 2],
        "/definitions/Pot/properties/sizes/items/enum: has values that are not of type integer",
    ),
    (
        "/definitions/Pot/properties/sizes/items/default",
        "big",
        "/definitions/Pot/properties/sizes/items/default: ",
    ),
    ("/paths/~1pot/get/parameters/0/default", "ten", "/paths/~1pot/get/parameters/0/default: "),
]


def with_slip(place: str, value: Any) -> Json:
    document = copy.deepcopy(SOUND)
    holder: Any = document
    *way, last = (part.replace("~1", "/") for part in place.split("/")[1:])
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    holder[last] = value
    return document


def test_a_sound_document_is_left_as_it_is() -> None:
    document = copy.deepcopy(SOUND)
    assert repair(document) == ()
    assert document == SOUND
    validate(document, "sound")


@pytest.mark.parametrize(("place", "value", "told"), SLIPS)
def test_a_slip_is_put_right_and_told(place: str, value: Any, told: str) -> None:
    document = with_slip(place, value)
    (problem,) = repair(document)
    assert str(problem).startswith(told)
    validate(document, place)


def test_a_download_is_no_slip() -> None:
    document = with_slip(f"{GET}/responses/200/schema", {"type": "file"})
    assert repair(document) == ()
    validate(document, "download")


def test_what_could_mean_several_things_is_left_to_be_refused() -> None:
    for place, value in [("/paths", []), ("/info", "Pots"), ("/definitions/Pot", [1])]:
        document = with_slip(place, value)
        assert repair(document) == ()
        assert document == with_slip(place, value)


def test_a_document_with_slips_is_served(tmp_path: Path) -> None:
    file = tmp_path / "pots.json"
    file.write_text(json.dumps(with_slip(f"{GET}/parameters/0/name", "potId")))
    contract = open_contract(file)
    assert len(contract.repaired) == 1
    assert [each.unserved for each in contract.bindings if each.path == "/pot/{id}"] == [None, None]


def test_a_class_need_not_bring_what_the_server_makes_whichever_way_leads_to_it(
    tmp_path: Path,
) -> None:
    mapping = {each: f"#/components/schemas/{each}_FVO" for each in ("Pot", "Kettle")}
    pot = {
        "type": "object",
        "required": ["@type", "href", "lid"],
        "properties": {"@type": {"type": "string"}, "href": {"type": "string"}, "lid": {}},
        "discriminator": {"propertyName": "@type", "mapping": mapping},
    }
    of_pot = {"application/json": {"schema": {"$ref": "#/components/schemas/Pot_FVO"}}}
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Pots", "version": "5.0"},
        "paths": {
            "/pot": {
                "post": {
                    "requestBody": {"content": of_pot},
                    "responses": {"201": {"description": "made", "content": of_pot}},
                }
            }
        },
        "components": {
            "schemas": {
                "Pot_FVO": pot,
                "Kettle_FVO": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Pot_FVO"},
                        {"type": "object", "required": ["spout"], "properties": {"spout": {}}},
                    ]
                },
            }
        },
    }
    file = tmp_path / "pots.json"
    file.write_text(json.dumps(document))
    (create,) = open_contract(file).bindings
    accepts = create.bodies["application/json"].accepts
    assert accepts({"@type": "Pot", "lid": 1})
    assert accepts({"@type": "Kettle", "lid": 1, "spout": 1})
    assert not accepts({"@type": "Kettle", "lid": 1})
    assert not accepts({"@type": "Pot"})
