"""Requests: rules for what clients send, on top of the document's own schemas.

An overlay states them by kind of operation (`x-request-rules`), as the schema of attributes that
the request may have. They become part of the effective contract, so that whoever reads or fuzzes it
knows them.
"""

from __future__ import annotations

import copy

from app.contract.binding.operation_kinds import kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.schemas import attributes, body_schema


def declare_request_rules(document: Json) -> Json:
    """Return the document with the overlay's rules in its request bodies."""
    rules = document.get("x-request-rules", {})
    document = copy.deepcopy(document)
    for path, method, operation in operations(document):
        schema = body_schema(operation)
        if schema is None or kind_of(path, method) not in rules:
            continue
        known = attributes(document, schema).properties
        stated = rules[kind_of(path, method)]
        applying = {name: rule for name, rule in stated.items() if name in known}
        if applying:
            operation["requestBody"] = copy.deepcopy(operation["requestBody"])  # it may be shared
            content = operation["requestBody"]["content"]["application/json"]
            content["schema"] = {"allOf": [schema, {"type": "object", "properties": applying}]}
    return document
