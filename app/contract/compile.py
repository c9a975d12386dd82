"""Compile: OpenAPI schemas as validators, built once when the server starts.

OpenAPI 3.0 schemas are JSON Schema in an older dialect with words of its own; those are put into
JSON Schema's terms (`nullable`, `readOnly`, number formats) and the rest goes to `jsonschema-rs`.
A request and a response see the same schema differently: `readOnly` attributes are never required
in a request, `writeOnly` ones never in a response (OpenAPI 3.0.3, Schema Object).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import jsonschema_rs

from app.contract.load import Json
from app.contract.violation import Violation, violations_of

_NOT_RULES = frozenset(
    {"description", "example", "examples", "externalDocs", "xml", "deprecated", "discriminator"}
    | {"readOnly", "writeOnly", "nullable", "default", "title"}
)
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_SCHEMAS_IN = ("items", "not", "additionalProperties")
_LISTS_OF_SCHEMAS_IN = ("allOf", "anyOf", "oneOf")


class View(StrEnum):
    """From which side a schema is looked at."""

    REQUEST = "request"
    RESPONSE = "response"


class Validator:
    """One compiled schema."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.accepts: Callable[[Any], bool] = compiled.is_valid

    def violations(self, instance: Any) -> list[Violation]:
        """Return what is wrong with a JSON value; nothing when it is valid."""
        return violations_of(self._compiled.iter_errors(instance))


class SchemaCompiler:
    """Makes validators for the schemas of one document."""

    def __init__(self, document: Json) -> None:
        modern = document["openapi"].startswith("3.1")
        self._validator = (
            jsonschema_rs.Draft202012Validator if modern else jsonschema_rs.Draft4Validator
        )
        self._registry = jsonschema_rs.Registry(
            [
                (_address(view), {"components": {"schemas": self._components(document, view)}})
                for view in View
            ],
            draft=jsonschema_rs.Draft202012 if modern else jsonschema_rs.Draft4,
        )
        self._compiled: dict[str, Validator] = {}

    def compile(self, schema: Json, view: View) -> Validator:
        """Return the validator of a schema."""
        rewritten = _rewrite(schema, view)
        key = repr(rewritten)
        if key not in self._compiled:
            self._compiled[key] = Validator(
                self._validator(
                    rewritten,
                    registry=self._registry,
                    validate_formats=True,
                    formats={"byte": _is_base64, "base64": _is_base64},
                )
            )
        return self._compiled[key]

    @staticmethod
    def _components(document: Json, view: View) -> Json:
        schemas = document.get("components", {}).get("schemas", {})
        return {name: _rewrite(schema, view) for name, schema in schemas.items()}


def _address(view: View) -> str:
    return f"urn:contract:{view}"


def _rewrite(schema: Any, view: View) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"{_address(view)}{schema['$ref']}"}
    rules = {
        name: value
        for name, value in schema.items()
        if name not in _NOT_RULES and not name.startswith("x-")
    }
    for name in _SCHEMAS_IN:
        if name in rules:
            rules[name] = _rewrite(rules[name], view)
    for name in _LISTS_OF_SCHEMAS_IN:
        if name in rules:
            rules[name] = [_rewrite(each, view) for each in rules[name]]
    if "properties" in rules:
        rules["properties"] = {
            name: _rewrite(inner, view) for name, inner in rules["properties"].items()
        }
    if "required" in rules:
        rules["required"] = _required(schema, view)
        if not rules["required"]:
            del rules["required"]  # Draft 4 wants at least one name
    if rules.get("format") in _RANGES:
        low, high = _RANGES[rules.pop("format")]
        rules.setdefault("minimum", low)
        rules.setdefault("maximum", high)
    return _with_null(rules) if schema.get("nullable") is True else rules


def _required(schema: Json, view: View) -> list[str]:
    hidden = "readOnly" if view is View.REQUEST else "writeOnly"
    properties = schema.get("properties", {})
    return [name for name in schema["required"] if properties.get(name, {}).get(hidden) is not True]


def _with_null(rules: Json) -> Json:
    if isinstance(rules.get("type"), str) and not rules.keys() & set(_LISTS_OF_SCHEMAS_IN):
        rules["type"] = [rules["type"], "null"]
        if "enum" in rules and None not in rules["enum"]:
            rules["enum"] = [*rules["enum"], None]
        return rules
    return {"anyOf": [{"type": "null"}, rules]}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
