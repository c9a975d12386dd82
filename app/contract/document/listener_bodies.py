"""Listener bodies: that any JSON object is accepted where events of other systems arrive.

Systems leave out what a contract requires, or write it differently. An event that is refused is
lost: few senders repeat a request that was answered 400.
"""

from __future__ import annotations

import copy

from app.contract.binding.operation_kinds import Kind, kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.schemas import body_schema

ANY_EVENT: Json = {"type": "object", "description": "Any other event, which is kept as it came."}


def accept_any_events(document: Json) -> Json:
    """Return the document with listeners that accept, beside their events, any object."""
    paths = dict(document["paths"])
    for path, method, operation in operations(document):
        schema = body_schema(operation)
        if kind_of(path, method) is not Kind.LISTEN or schema is None:
            continue
        body = copy.deepcopy(operation["requestBody"])  # it may be shared
        body["content"]["application/json"]["schema"] = {"anyOf": [schema, ANY_EVENT]}
        paths[path] = {**paths[path], method: {**operation, "requestBody": body}}
    return {**document, "paths": paths}
