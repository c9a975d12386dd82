"""What is accepted at once is what openapi-spec-validator accepts."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest

from app.contract import ContractError
from app.contract.document.acceptance import is_plainly_valid
from app.contract.document.load import load
from app.contract.document.repair import mend
from app.contract.document.validate import validate
from tests.app.contract.test_steps import SWAGGER
from tests.conftest import OURS, OURS_V5, official_specs

OPENAPI: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Things", "version": "2.1"},
    "tags": [{"name": "a"}, {"name": "b"}],
    "paths": {
        "/thing": {
            "get": {
                "operationId": "listThings",
                "parameters": [
                    {"$ref": "#/components/parameters/Fields"},
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "format": "int32", "default": 10},
                    },
                ],
                "responses": {"200": {"$ref": "#/components/responses/Things"}},
            },
        },
        "/thing/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": {
                "operationId": "retrieveThing",
                "responses": {
                    "200": {
                        "description": "ok",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        },
                    }
                },
            },
            "patch": {
                "operationId": "patchThing",
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                    }
                },
                "responses": {"default": {"description": "any"}},
            },
        },
    },
    "components": {
        "parameters": {"Fields": {"name": "fields", "in": "query", "schema": {"type": "string"}}},
        "responses": {
            "Things": {
                "description": "ok",
                "content": {
                    "application/json": {
                        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
                    }
                },
            }
        },
        "schemas": {
            "Base": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}},
                "discriminator": {"propertyName": "name"},
            },
            "Thing": {
                "allOf": [
                    {"$ref": "#/components/schemas/Base"},
                    {
                        "type": "object",
                        "properties": {
                            "size": {"type": "number", "format": "float", "default": 1},
                            "open": {"type": "boolean", "default": False},
                            "parts": {
                                "type": "array",
                                "maxItems": 3,
                                "items": {"$ref": "#/components/schemas/Thing"},
                            },
                            "any": {"anyOf": [{"type": "string", "nullable": True}, {}]},
                            "more": {
                                "type": "object",
                                "additionalProperties": {"type": "string", "pattern": "a|b"},
                            },
                        },
                    },
                ],
                "required": ["name", "size"],
            },
        },
    },
}  # fmt: skip

JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 1.0, 2**40, "", "x", "a{", "(?P<a>b)", "(?<a>b)", "path", "integer", [], {},
    ["name"], ["x", "x"], {"$ref": "#/components/schemas/Base"}, {"$ref": "#/nowhere"},
    {"type": "string", "default": 1}, {"allOf": [{"type": "object"}], "required": ["x"]},
    {"name": "a", "in": "query", "type": "string"}, {"schema": {"type": "file"}},
)  # fmt: skip
WORDS = (
    "default", "required", "pattern", "format", "type", "nullable", "operationId", "allOf", "items",
    "not", "enum", "minimum", "exclusiveMinimum", "$ref", "x-more", "additionalProperties", "in",
)  # fmt: skip


@pytest.mark.parametrize("file", [OURS, OURS_V5], ids=lambda each: each.name)
def test_the_documents_that_come_with_the_server_are_accepted_at_once(file: Any) -> None:
    assert is_plainly_valid(load(file)), "has the package moved its schemas? see acceptance"


def test_the_official_documents_are_accepted_at_once() -> None:
    for file in official_specs().glob("TMF*"):
        document = load(file)
        mend(document)
        assert is_plainly_valid(document), file.name


@pytest.mark.parametrize("document", [OPENAPI, SWAGGER], ids=["openapi", "swagger"])
def test_no_broken_document_is_accepted_at_once(document: dict[str, Any]) -> None:
    document = copy.deepcopy(document)
    mend(document)
    assert is_plainly_valid(document)
    accepted = refused = 0
    for seed in range(1500):
        broken = copy.deepcopy(document)
        random = Random(seed)
        for _ in range(random.choice((1, 1, 2))):
            _break(broken, random)
        if is_plainly_valid(broken):
            accepted += 1
            _check(broken, seed)
        else:
            refused += 1
    assert accepted > 50
    assert refused > 50


def _check(document: dict[str, Any], seed: int) -> None:
    try:
        validate(document, "broken")
    except ContractError as error:
        pytest.fail(f"accepted with seed {seed}: {error}")


def _break(document: dict[str, Any], random: Random) -> None:
    """Change one place at random."""
    holder = random.choice(list(_holders(document)))
    places = [*holder] if isinstance(holder, dict) else [*range(len(holder))]
    values = [*JUNK, *_holders(document)]
    value = copy.deepcopy(random.choice(values))
    way = random.choice(("remove", "replace", "add", "add"))
    if way == "add" and isinstance(holder, dict):
        holder[random.choice(WORDS)] = value
    elif way == "add":
        holder.append(copy.deepcopy(random.choice([*holder, value])))
    elif places and way == "remove":
        del holder[random.choice(places)]
    elif places:
        holder[random.choice(places)] = value


def _holders(value: Any) -> Any:
    if isinstance(value, dict | list):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _holders(each)
