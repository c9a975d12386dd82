"""Events: which of them a contract declares for its resources, and their shape.

A contract declares an event by the path of its listener, `/listener/{resource}CreateEvent` for
example (TMF630 part 1, notifications). TM Forum's older documents say `CreationNotification` and
the like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.contract.binding.operation_kinds import Kind, kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.discriminator import OPEN
from app.contract.schema.schemas import AttributePaths, attributes, body_schema, follow, name_of
from app.contract.schema.validators import SchemaCompiler, Validator, View
from app.tmf630.definitions import Change
from storage import Path

_SUFFIXES = {
    Change.CREATE: ("CreateEvent", "CreationNotification", "CreateNotification"),
    Change.ATTRIBUTE: ("AttributeValueChangeEvent", "AttributeValueChangeNotification"),
    Change.STATUS: (
        "StatusChangeEvent", "StateChangeEvent", "StateValueChangeEvent",
        "StatusChangeNotification", "StateChangeNotification", "StateValueChangeNotification",
    ),
    Change.DELETE: (
        "DeleteEvent", "RemoveEvent", "DeletionNotification", "DeleteNotification",
        "RemoveNotification",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """One event of a contract.

    `type` is what `eventType` says; `class_name` is the `@type` of the event, if it has one;
    `attributes` are those that the event's schema declares; `payload` is the attribute of `event`
    that holds the resource.
    """

    change: Change
    type: str
    class_name: str | None
    attributes: frozenset[str]
    payload: str
    validator: Validator


def events_of(
    document: Json, compiler: SchemaCompiler, resource: str
) -> dict[Change, EventDefinition]:
    """Return the events that a contract declares for a resource of this name."""
    found = {}
    for path, method, operation in operations(document):
        if kind_of(path, method) is not Kind.LISTEN:
            continue
        name = path.rpartition("/")[2]
        change = _change_of(name, resource)
        schema = body_schema(operation)
        if change is not None and schema is not None:
            found[change] = _definition(document, compiler, change, name, schema, resource)
    return found


class EventPaths:
    """Answers for all the events of a contract which attributes they have, at any depth."""

    def __init__(self, document: Json) -> None:
        self._events = [
            AttributePaths(document, schema)
            for path, method, operation in operations(document)
            if kind_of(path, method) is Kind.LISTEN
            and (schema := body_schema(operation)) is not None
        ]

    def knows(self, path: Path) -> bool:
        """Whether some event has an attribute at this path."""
        return any(event.knows(path) for event in self._events)

    def is_instant(self, path: Path) -> bool:
        """Whether the attribute at this path is a date-time, in an event that has it."""
        return any(event.is_instant(path) for event in self._events)

    def type_of(self, path: Path) -> str | None:
        """Return the type of the values at this path, where all events that have it agree."""
        types = {event.type_of(path) for event in self._events if event.knows(path)}
        return types.pop() if len(types) == 1 else None

    def names(self, path: Path) -> frozenset[str]:
        """Return the names of the attributes that objects at this path have in some event."""
        return frozenset(name for event in self._events for name in event.names(path))


def _change_of(name: str, resource: str) -> Change | None:
    for change, suffixes in _SUFFIXES.items():
        if any(name.lower() == f"{resource}{suffix}".lower() for suffix in suffixes):
            return change
    return None


def _definition(
    document: Json,
    compiler: SchemaCompiler,
    change: Change,
    name: str,
    schema: Json,
    resource: str,
) -> EventDefinition:
    described = attributes(document, schema)
    payload = attributes(document, described.properties.get("event", {})).properties
    return EventDefinition(
        change=change,
        type=name[:1].upper() + name[1:],
        class_name=_class_name(document, schema) if "@type" in described.properties else None,
        attributes=frozenset(described.properties),
        payload=_payload_name(tuple(payload), resource),
        validator=compiler.compile(schema, View.REQUEST),
    )


def _payload_name(names: Sequence[str], resource: str) -> str:
    matching = (name for name in names if name.lower() == resource.lower())
    return next(matching, names[0] if len(names) == 1 else resource)


def _class_name(document: Json, schema: Json) -> str | None:
    name = name_of(schema)
    schema = follow(document, schema)
    stated = schema.get("discriminator") or schema.get(OPEN) or {}
    for value, target in stated.get("mapping", {}).items():
        if target.rpartition("/")[2] == name:
            return str(value)
    return name
