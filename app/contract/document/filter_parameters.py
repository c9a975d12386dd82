"""Filters: declare the attributes that lists are filtered by most.

Every attribute is a filter, which OpenAPI cannot say. Those that an overlay hints to index
(`x-index-hints`) are declared as query parameters, for clients that know declared ones alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from app.contract.binding.operation_kinds import Kind, kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.schemas import AttributePaths, follow, success_schema

_HINTS = "x-index-hints"
_DAY = "2026-01-31"
_OPERATORS = {"": "on this day, or at this moment", ".gte": "at or after", ".lt": "before"}


def declare_filters(document: Json) -> Json:
    """Return the document with a query parameter for each hinted attribute of a list."""
    document = copy.deepcopy(document)
    paths = {path: None for hint in document.get(_HINTS, ()) for path in hint.split(",")}
    for path, method, operation in operations(document):
        if kind_of(path, method) is not Kind.LIST:
            continue
        items = follow(document, success_schema(operation) or {}).get("items", {})
        attributes = AttributePaths(document, items)
        declared = {each["name"] for each in operation.get("parameters", ())}
        added = [
            parameter
            for attribute in paths
            for parameter in _filters(attributes, attribute)
            if parameter["name"] not in declared
        ]
        if added:
            operation["parameters"] = [*operation.get("parameters", ()), *added]
    return document


def _filters(attributes: AttributePaths, attribute: str) -> Iterator[Json]:
    path = tuple(attribute.split("."))
    if not attributes.knows(path):
        return
    if attributes.is_instant(path):
        for suffix, words in _OPERATORS.items():
            yield _parameter(
                f"{attribute}{suffix}",
                f"Finds by `{attribute}`, {words}: a date or a date-time (RFC 3339)."
                " The operators `.eq`, `.ne`, `.gt` and `.lte` are accepted in the same way.",
                _DAY,
            )
        return
    yield _parameter(
        attribute,
        f"Finds by `{attribute}`; several values, separated by commas, are alternatives.",
        _example(attributes.schema_at(path)),
    )


def _parameter(name: str, description: str, example: Any) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "example": example,
        "schema": {"type": "string"},
    }


def _example(schema: Json | None) -> str:
    schema = schema or {}
    values = [value for value in schema.get("enum", ()) if isinstance(value, str)]
    given = schema.get("example", values[0] if values else "sample")
    return given if isinstance(given, str) else "sample"
