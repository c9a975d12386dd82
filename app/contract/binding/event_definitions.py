"""The events that a contract declares for its resources.

A contract declares an event by the path of its listener, `/listener/{resource}CreateEvent` for
example (TMF630 part 1, notifications). Official documents use several names for one change:
`CreationNotification`, `ChangeEvent`, `StateChange`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.contract.binding.operation_kinds import Kind, collection_of, kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.discriminator import OPEN
from app.contract.schema.schemas import AttributePaths, attributes, body_schema, follow, name_of
from app.contract.schema.validators import SchemaCompiler, Validator, View
from app.tmf630.definitions import Change
from storage import Path

_CHANGES = {
    Change.CREATE: ("Create", "Creation", "Created"),
    Change.ATTRIBUTE: (
        "AttributeValueChange", "AttributeValuesChange", "AttributeChange", "ValueChange",
        "AttributeValueChanged", "Change", "Changed", "Update", "Updated",
    ),
    Change.STATUS: (
        "StatusChange", "StateChange", "StateValueChange", "StatusValueChange",
        "LifecycleStatusChange", "LifecycleStateChange", "StatusChanged", "StateChanged",
    ),
    Change.DELETE: ("Delete", "Deletion", "Deleted", "Remove", "Removal", "Removed"),
}  # fmt: skip
"""What official documents call each change, the usual name first."""

_ENDINGS = ("Event", "Notification", "")


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
    document: Json, compiler: SchemaCompiler, resource: str, class_name: str = ""
) -> dict[Change, EventDefinition]:
    """Return the events that a contract declares for a resource of this name, or of this class.

    Where several listeners stand for one change, the one with the usual name counts. The class is
    asked only where no resource has its name.
    """
    found: dict[Change, tuple[int, EventDefinition]] = {}
    called = [resource]
    collections = (collection_of(path) for path in document["paths"])
    if class_name.lower() not in {each.rpartition("/")[2].lower() for each in collections}:
        called.append(class_name)
    for path, method, operation in operations(document):
        name = path.rpartition("/")[2]
        schema = body_schema(operation)
        if schema is None or kind_of(path, method) is not Kind.LISTEN:
            continue
        meaning = next(filter(None, (change_of(name, each) for each in called)), None)
        if meaning is None:
            continue
        change, rank = meaning
        if change not in found or rank < found[change][0]:
            found[change] = (
                rank,
                _definition(document, compiler, change, name, schema, resource),
            )
    return {change: definition for change, (_, definition) in found.items()}


def unplaced_listeners(document: Json, resources: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of listeners whose name is no change of any of these resources."""
    resources = tuple(resources)
    return tuple(
        path
        for path, method, _ in operations(document)
        if kind_of(path, method) is Kind.LISTEN
        and not any(change_of(path.rpartition("/")[2], each) for each in resources)
    )


def event_types(document: Json) -> tuple[str, ...]:
    """Return what `eventType` may say, for every event that a contract declares."""
    return tuple(
        _type(path.rpartition("/")[2], schema)
        for path, method, operation in operations(document)
        if kind_of(path, method) is Kind.LISTEN and (schema := body_schema(operation)) is not None
    )


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

    def is_array(self, path: Path) -> bool:
        """Whether the attribute at this path is an array, in an event that has it."""
        return any(event.is_array(path) for event in self._events)

    def type_of(self, path: Path) -> str | None:
        """Return the type of the values at this path, where all events that have it agree."""
        types = {event.type_of(path) for event in self._events if event.knows(path)}
        return types.pop() if len(types) == 1 else None

    def names(self, path: Path) -> frozenset[str]:
        """Return the names of the attributes that objects at this path have in some event."""
        return frozenset(name for event in self._events for name in event.names(path))


def change_of(name: str, resource: str) -> tuple[Change, int] | None:
    """Return the change that a listener's name stands for, and how unusual the name is."""
    name, resource = name.lower(), resource.rpartition("/")[2].lower()
    for change, words in _CHANGES.items():
        for rank, word in enumerate(words):
            if any(name == f"{resource}{word}{ending}".lower() for ending in _ENDINGS):
                return change, rank
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
        type=_type(name, schema),
        class_name=_class_name(document, schema) if "@type" in described.properties else None,
        attributes=frozenset(described.properties),
        payload=_payload_name(tuple(payload), resource),
        validator=compiler.compile(schema, View.REQUEST),
    )


def _type(listener: str, schema: Json) -> str:
    """Return the type of a listener's event: its name, with the capitals that the schema's has."""
    called = name_of(schema) or ""
    return called if called.lower() == listener.lower() else listener[:1].upper() + listener[1:]


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
