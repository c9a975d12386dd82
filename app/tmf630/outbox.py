"""Outbox records, written in the same transaction as the document they describe.

A record holds the resource as it was stored. Which events it becomes, and in which format, follows
from the contract of the hub at which a listener is registered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import uuid_utils

from app.tmf630.definitions import Change, Resource, ResourceDefinition
from app.tmf630.json_equality import same
from app.tmf630.lifecycle import now

_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST_CORRELATION = 200


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """The request that causes an event.

    `base_url` is where its client reaches the server, for links; `correlation_id` and `traceparent`
    are its headers of these names (W3C Trace Context for the latter), None when absent.
    """

    base_url: str
    request_id: str = ""
    correlation_id: str | None = None
    traceparent: str | None = None

    def correlation(self) -> str | None:
        """Return the events' correlation id: the client's, else the trace id or request id."""
        stated = self.correlation_id
        if stated and len(stated) <= _LONGEST_CORRELATION and stated.isprintable():
            return stated
        trace = _TRACE.fullmatch(self.traceparent or "")
        return trace[1] if trace else self.request_id or None

    def trace(self) -> str | None:
        """Return the trace that its events continue, None without a well-formed one."""
        stated = self.traceparent
        return stated if stated and _TRACE.fullmatch(stated) else None


def created(
    definition: ResourceDefinition, id: str, content: bytes, origin: EventOrigin
) -> list[bytes]:
    """Return the record of a creation; none where the contract declares no event for it."""
    if Change.CREATE not in definition.announces:
        return []
    return [_record(definition, Change.CREATE, id, content, definition.forms.name, origin)]


def deleted(
    definition: ResourceDefinition, id: str, content: bytes, form: str, origin: EventOrigin
) -> list[bytes]:
    """Return the record of a deletion; `content` is the deleted document."""
    if Change.DELETE not in definition.announces:
        return []
    return [_record(definition, Change.DELETE, id, content, form, origin)]


def changed(
    definition: ResourceDefinition,
    before: Resource,
    after: Resource,
    content: bytes,
    form: str,
    origin: EventOrigin,
) -> list[bytes]:
    """Return the record of a change, with the names of the attributes that differ.

    Attributes that the server manages do not count as a change.
    """
    names = sorted(
        name
        for name in {**before, **after}
        if not same(before.get(name), after.get(name)) and name not in definition.managed
    )
    moved = [name for name in names if name in definition.states]
    announced = definition.announces & {Change.STATUS, Change.ATTRIBUTE}
    if not names or not announced or (announced == {Change.STATUS} and not moved):
        return []
    details = {"attributes": names, "status": moved}
    id = after["id"]
    return [_record(definition, Change.ATTRIBUTE, id, content, form, origin, details)]


def _record(
    definition: ResourceDefinition,
    change: Change,
    id: str,
    content: bytes,
    form: str,
    origin: EventOrigin,
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
        "base": origin.base_url,
        "correlation": origin.correlation(),
        "traceparent": origin.trace(),
        **(details or {}),
    }
    return orjson.dumps(head)[:-1] + b',"content":' + content + b"}"
