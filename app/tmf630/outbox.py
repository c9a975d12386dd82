"""What a write tells others: a record of the change, kept with it until it is delivered.

The record is neutral: it holds the resource as it was stored. Which events it becomes, and in which
shape, follows from the contract of the listener that they are sent to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
import uuid_utils

from app.tmf630.definitions import Change, Resource, ResourceDefinition
from app.tmf630.json_equality import same
from app.tmf630.lifecycle import STATUS_ATTRIBUTES, now
from handlers import request_context

_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def created(definition: ResourceDefinition, id: str, content: bytes, base: str) -> list[bytes]:
    """Return the record of a creation; none where the contract declares no event for it."""
    if Change.CREATE not in definition.announces:
        return []
    return [_record(definition, Change.CREATE, id, content, definition.forms.name, base)]


def deleted(
    definition: ResourceDefinition, id: str, content: bytes, form: str, base: str
) -> list[bytes]:
    """Return the record of a deletion; `content` is what is gone."""
    if Change.DELETE not in definition.announces:
        return []
    return [_record(definition, Change.DELETE, id, content, form, base)]


def changed(
    definition: ResourceDefinition,
    before: Resource,
    after: Resource,
    content: bytes,
    form: str,
    base: str,
) -> list[bytes]:
    """Return the record of a change: which attributes differ, those the server manages aside."""
    names = sorted(
        name
        for name in {**before, **after}
        if not same(before.get(name), after.get(name)) and name not in definition.managed
    )
    moved = [name for name in names if name in STATUS_ATTRIBUTES]
    announced = definition.announces & {Change.STATUS, Change.ATTRIBUTE}
    if not names or not announced or (announced == {Change.STATUS} and not moved):
        return []
    details = {"attributes": names, "status": moved}
    id = after["id"]
    return [_record(definition, Change.ATTRIBUTE, id, content, form, base, details)]


def _record(
    definition: ResourceDefinition,
    change: Change,
    id: str,
    content: bytes,
    form: str,
    base: str,
    details: Mapping[str, Any] | None = None,
) -> bytes:
    head = {
        "key": str(uuid_utils.uuid7()),
        "time": now(),
        "change": change,
        "collection": definition.collection,
        "id": id,
        "parent": definition.parent,
        "form": form,
        "base": base,
        "correlation": _correlation(),
        "traceparent": _traceparent(),
        **(details or {}),
    }
    return orjson.dumps(head)[:-1] + b',"content":' + content + b"}"


def _correlation() -> str | None:
    """Return what ties the event to its request: `X-Correlation-ID`, its trace's id, or its own."""
    stated = request_context.header("X-Correlation-ID")
    if stated and len(stated) <= 200 and stated.isprintable():
        return stated
    trace = _TRACE.fullmatch(_traceparent() or "")
    return trace[1] if trace else request_context.current().id or None


def _traceparent() -> str | None:
    """Return the trace that the event is to continue (W3C Trace Context)."""
    stated = request_context.header("traceparent")
    return stated if stated and _TRACE.fullmatch(stated) else None
