"""Responses: declare what each operation is answered with.

Documents declare one body for each media type of a request, some of them of several forms, and
leave out statuses that conditional requests, limits and clashes of ids lead to. This server answers
JSON alone, a change with the resource, and every error with the document's `Error`. Which errors an
operation has is data in the overlay (`x-error-responses`), by kind of operation.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from app.contract.binding.operation_kinds import Kind, collection_of, kind_of, parents_of, unserved
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.schemas import attributes, failure_schema, follow

JSON = "application/json"
_STATED = "x-error-responses"
_ERROR: Json = {
    "type": "object",
    "description": "Why a request failed.",
    "required": ["code", "reason"],
    "properties": {
        "code": {"type": "string", "description": "The error, for programs."},
        "reason": {"type": "string", "description": "The error, for people."},
        "message": {"type": "string", "description": "What to do, or the value that is wrong."},
        "status": {"type": "string", "description": "The HTTP status."},
        "@type": {"type": "string", "description": "The class of this object."},
    },
}


def declare_responses(document: Json) -> Json:
    """Return the document with the responses that this server gives."""
    document = copy.deepcopy(document)
    error = _error_schema(document)
    for path, method, operation in operations(document):
        responses: Json = {
            code: _in_json(response, error if code.startswith(("4", "5")) else None)
            for code, response in operation["responses"].items()
        }
        for code, description in _errors(document, path, method, operation):
            if code not in responses:
                content = {JSON: {"schema": error}}
                responses[code] = {"description": description, "content": content}
        operation["responses"] = responses
    return document


def integers_of_errors(document: Json) -> frozenset[str]:
    """Return which of `code` and `status` are integers in the document's errors."""
    schemas = [failure_schema(operation) for _, _, operation in operations(document)]
    return frozenset(
        name
        for schema in schemas
        if schema is not None
        for name, stated in attributes(document, schema).properties.items()
        if name in ("code", "status")
        and follow(document, stated).get("type") in ("integer", "number")
    )


def _errors(document: Json, path: str, method: str, operation: Json) -> Iterator[tuple[str, str]]:
    stated = document.get(_STATED, {})
    kind = kind_of(path, method)
    yield from stated.get("every", {}).items()
    if "requestBody" in operation:
        yield from stated.get("body", {}).items()
    if parents_of(collection_of(path)) and kind is not Kind.OTHER:
        yield from stated.get("nested", {}).items()
    served = unserved(document, kind, operation) is None
    yield from stated.get(kind if served else Kind.OTHER, {}).items()


def _in_json(response: Json, error: Json | None) -> Json:
    """Return a response whose body, if it has one, is declared once, as JSON.

    `error` is the schema of a body that the document does not describe.
    """
    content = response.get("content", {})
    definition = content.get(JSON) or next(iter(content.values()), None)
    if definition is None or "schema" not in definition:
        definition = {"schema": error} if error is not None else definition
    if definition is None:
        return response
    return {**response, "content": {JSON: definition}}


def _error_schema(document: Json) -> Json:
    """Return a reference to the document's schema of errors; one is added where there is none."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    if "Error" not in schemas:
        for _, _, operation in operations(document):
            stated = failure_schema(operation)
            if stated is not None and "code" in follow(document, stated).get("properties", {}):
                return stated
        schemas["Error"] = copy.deepcopy(_ERROR)
    return {"$ref": "#/components/schemas/Error"}
