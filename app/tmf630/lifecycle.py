"""Values the server gives a resource as it is created and changed."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from threading import Lock
from time import time_ns
from typing import Any

import uuid_utils

from app.tmf630.definitions import (
    NEW_ID,
    NEW_INTEGER_ID,
    Fill,
    Moment,
    Resource,
    ResourceDefinition,
)
from app.tmf630.json_equality import same


def now() -> str:
    """Return the current time as TMF630 wants it: RFC 3339, UTC, `Z`; milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def created(
    definition: ResourceDefinition,
    body: Resource,
    *,
    id: str | None = None,
    time: str | None = None,
) -> Resource:
    """Return the resource that a create request's body makes, `href` aside.

    `id` and `time` are those of a creation at another time; by default it happens now.

    Unless the contract lets clients choose it, the id is a UUIDv7: ordered by time, so friendly to
    indexes, and not to be guessed. A managed attribute is the client's where the create schema
    lists it, else the server's. Attributes the definition does not know are kept (TMF630 part 2,
    extension).
    """
    time = time or now()
    resource = dict(body)
    if not definition.chooses_id or "id" not in body:
        made = _integer_ids.new if definition.integer_ids else uuid_utils.uuid7
        resource["id"] = id or str(made())
    given_id = resource["id"]
    resource["id"] = str(int(given_id) if isinstance(given_id, float) else given_id)
    resource.pop("href", None)
    for name, moment in definition.managed.items():
        given = name in definition.creatable and name in body
        if moment is not Moment.STATUS_CHANGE and not given:
            resource[name] = time
    resource.setdefault("@type", definition.type)
    fill(definition.fills + definition.initial, resource, time)
    return resource


class _IntegerIds:
    """Integers of at most 53 bits, which every JSON reader holds exactly.

    They are ordered by time: 41 bits of milliseconds, then 12 random ones. One process gives none
    twice.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0

    def new(self) -> int:
        drawn = time_ns() // 1_000_000 << 12 | secrets.randbits(12)
        with self._lock:
            self._last = max(drawn, self._last + 1)
            return self._last


_integer_ids = _IntegerIds()
_NEW_IDS = (NEW_ID, NEW_INTEGER_ID)
"""What also takes the place of an empty text, which no path can name."""


def changed(definition: ResourceDefinition, before: Resource, after: Resource) -> Resource:
    """Return `after` with the times that this change is to set and does not set itself.

    It equals `before` when nothing has changed.
    """
    if same(after, before):
        return after
    time = now()
    fill(definition.fills, after, time)
    moved = any(before.get(name) != after.get(name) for name in definition.states)
    for name, moment in definition.managed.items():
        due = moment is Moment.CHANGE or (moved and moment is Moment.STATUS_CHANGE)
        if due and after.get(name) in (None, before.get(name)):
            after[name] = time
    return after


def fill(fills: tuple[Fill, ...], resource: Resource, time: str) -> None:
    """Set in place the attributes that a client left out."""
    for each in fills:
        _fill(resource, each.path, each.value, time)


def _fill(value: Any, path: tuple[str, ...], filler: Any, time: str) -> None:
    if isinstance(value, list):
        for element in value:
            _fill(element, path, filler, time)
    elif isinstance(value, dict):
        if len(path) > 1:
            _fill(value.get(path[0]), path[1:], filler, time)
        elif path[0] not in value or (filler in _NEW_IDS and value[path[0]] == ""):
            value[path[0]] = _rendered(filler, value, time)


def _rendered(filler: Any, beside: Resource, time: str) -> Any:
    if isinstance(filler, dict):
        return {name: _rendered(value, beside, time) for name, value in filler.items()}
    if not isinstance(filler, str):
        return filler
    if filler == NEW_ID:
        return str(uuid_utils.uuid7())
    if filler == NEW_INTEGER_ID:
        return _integer_ids.new()
    text = filler.replace("{now}", time)
    for name, value in beside.items():
        if isinstance(value, str) and f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", value)
    return text
