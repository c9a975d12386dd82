"""Requests: rules for what clients send, on top of the document's own schemas.

An overlay states them by kind of operation (`x-request-rules`), as the schemas of attributes that
the request may have; a list has one for each type that an attribute may have. They become part of
the effective contract, so that whoever reads or fuzzes it knows them. So does that bodies are JSON.
"""

from __future__ import annotations

import copy
from typing import Any

from app.contract.binding.operation_kinds import kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import is_json, operations
from app.contract.schema.schemas import attributes, body_schema, element_of, follow

_JSON = "application/json"


def declare_request_rules(document: Json) -> Json:
    """Return the document with the overlay's rules in its request bodies."""
    rules = document.get("x-request-rules", {})
    document = copy.deepcopy(document)
    for path, method, operation in operations(document):
        _read_json_alone(operation)
        schema = body_schema(operation)
        if schema is None or kind_of(path, method) not in rules:
            continue
        one = element_of(document, schema)
        known = attributes(document, one).properties
        stated = rules[kind_of(path, method)]
        applying = {
            name: {**follow(document, known[name]), **rule}
            for name, choice in stated.items()
            if name in known
            for rule in _fitting(choice, follow(document, known[name]).get("type"))
        }
        if applying:
            operation["requestBody"] = copy.deepcopy(operation["requestBody"])  # it may be shared
            content = operation["requestBody"]["content"]["application/json"]
            ruled = {"allOf": [one, {"type": "object", "properties": applying}]}
            several = one is not schema
            content["schema"] = {**follow(document, schema), "items": ruled} if several else ruled
    return document


def _read_json_alone(operation: Json) -> None:
    """Leave out, beside JSON, what bodies are declared in too; `application/json` is among these.

    A JSON Patch of an operation of another kind is a slip of generators, and means JSON.
    """
    content = operation.get("requestBody", {}).get("content", {})
    read = {name: each for name, each in content.items() if is_json(name)}
    if read and (read.keys() != content.keys() or _JSON not in read):
        body = copy.deepcopy(operation["requestBody"])  # it may be shared
        body["content"] = {_JSON: next(iter(read.values()))} | read
        operation["requestBody"] = body


def _fitting(choice: Json | list[Json], type: Any) -> list[Json]:
    """Return the rule for an attribute of a type, at most one; the first where no type is said."""
    rules = choice if isinstance(choice, list) else [choice]
    wanted = "integer" if type == "number" else type or rules[0]["type"]
    return [rule for rule in rules if rule["type"] == wanted][:1]
