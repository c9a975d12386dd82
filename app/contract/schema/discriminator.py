"""Discriminators: which schema a value of several possible classes is held against.

An attribute, `@type` in TM Forum's documents, names the class of a value (OpenAPI 3.0.3,
Discriminator Object). Plain JSON Schema cannot use it: the branches of such a `oneOf` overlap. Here
each class becomes a case: when the attribute has that value, that schema alone decides.

A class the document does not list is TM Forum's extension pattern (TMF630 part 2): a value of it is
held against what every class has in common, and keeps all its attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.contract.document.load import Json
from app.contract.schema.schemas import attributes, follow, name_of

OPEN = "x-open-discriminator"
"""A discriminator that also lets classes pass which the document does not list."""

OTHERS = "x-other-classes"
"""Marks the branch of a union that stands for the classes which the document does not list."""

_UNIONS = ("oneOf", "anyOf")

Rewrite: TypeAlias = Callable[[Json], Json]


@dataclass(frozen=True, slots=True)
class Discriminator:
    """The classes of one schema: `cases` leads from the attribute's value to a component's name.

    `union` holds the schemas a value may be of; it is empty for a base class, which is itself what
    its sub-classes have in common.
    """

    attribute: str
    cases: dict[str, str]
    union: tuple[Json, ...]


def open_classes(document: Json) -> Json:
    """Return the document with discriminators that let other classes pass.

    OpenAPI's own discriminator is closed, and a `oneOf` whose branches overlap refuses what is
    meant for one of them: whoever reads, checks or fuzzes the effective contract gets an `anyOf`,
    with a branch for the classes that the document does not list.
    """
    opened: Json = _opened(document)
    for union in list(_open_unions(opened)):
        stated = discriminator_of(opened, union, None)
        if stated is not None:
            union["anyOf"].append(_other_classes(opened, stated))
    return opened


def _open_unions(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for each in value:
            yield from _open_unions(each)
    elif isinstance(value, dict):
        if OPEN in value and value.get("anyOf"):
            yield value
        for each in value.values():
            yield from _open_unions(each)


def _other_classes(document: Json, stated: Discriminator) -> Json:
    common = common_schema(document, stated.union)
    named = common["properties"].get(stated.attribute, {"type": "string"})
    other = {"allOf": [named], "not": {"enum": sorted(stated.cases)}}
    properties = {**common["properties"], stated.attribute: other}
    return {**common, "properties": properties, OTHERS: True}


def _opened(value: Any) -> Any:
    if isinstance(value, list):
        return [_opened(each) for each in value]
    if not isinstance(value, dict):
        return value
    value = {
        name: inner if name in ("example", "examples", "properties") else _opened(inner)
        for name, inner in value.items()
    }
    if isinstance(value.get("properties"), dict):  # where a name is an attribute's, not a keyword
        value["properties"] = {name: _opened(each) for name, each in value["properties"].items()}
    if isinstance(value.get("discriminator"), dict):
        value[OPEN] = value.pop("discriminator")
        if "oneOf" in value:
            value["anyOf"] = [*value.get("anyOf", ()), *value.pop("oneOf")]
    return value


def discriminator_of(document: Json, schema: Json, name: str | None) -> Discriminator | None:
    """Return the discriminator of a schema; None where there is nothing to tell apart.

    `name` is the component's, None for a schema written in place.
    """
    stated = schema.get("discriminator") or schema.get(OPEN)
    if not isinstance(stated, dict) or "propertyName" not in stated:
        return None
    union = tuple(
        member for word in _UNIONS for member in schema.get(word, ()) if OTHERS not in member
    )
    mapping = _mapping(document, schema, stated, union, name)
    cases = {value: _resolved(document, value, target) for value, target in mapping.items()}
    if not union and set(cases.values()) <= {name}:
        return None
    return Discriminator(stated["propertyName"], cases, union)


def common_schema(document: Json, union: tuple[Json, ...]) -> Json:
    """Return the attributes that all classes of a union declare alike, and all require."""
    described = [attributes(document, member) for member in union]
    first, *others = described
    return {
        "type": "object",
        "properties": {
            attribute: schema
            for attribute, schema in first.properties.items()
            if all(each.properties.get(attribute) == schema for each in others)
        },
        "required": sorted(frozenset.intersection(*(each.required for each in described))),
    }


def dispatch(discriminator: Discriminator, case: Rewrite, otherwise: Json) -> Json:
    """Return a JSON Schema that picks the case by the attribute, and `otherwise` where none fits.

    `case` makes the schema of a component, given a reference to it.
    """
    targets: dict[str, list[str]] = {}
    for value, target in discriminator.cases.items():
        targets.setdefault(target, []).append(value)
    schema = otherwise
    for target, values in reversed(targets.items()):
        schema = {
            "if": {
                "type": "object",
                "required": [discriminator.attribute],
                "properties": {discriminator.attribute: {"enum": values}},
            },
            "then": case({"$ref": f"#/components/schemas/{target}"}),
            "else": schema,
        }
    return schema


def _mapping(
    document: Json, schema: Json, stated: Json, union: tuple[Json, ...], name: str | None
) -> dict[str, str]:
    """Return the component each value names: as stated, else by the classes' own names."""
    mapping = {
        value: target.rpartition("/")[2] for value, target in stated.get("mapping", {}).items()
    }
    schemas = document.get("components", {}).get("schemas", {})
    if not mapping:
        members = [name_of(member) for member in union] if union else _heirs(schemas, name)
        mapping = {member: member for member in members if member is not None}
    return {value: target for value, target in mapping.items() if target in schemas}


def _heirs(schemas: Json, name: str | None) -> list[str | None]:
    """Return a base class and the components that inherit from it directly."""
    if name is None:
        return []
    heirs = [
        other
        for other, schema in schemas.items()
        if any(name_of(part) == name for part in schema.get("allOf", ()))
    ]
    return [name, *heirs]


def _resolved(document: Json, value: str, target: str) -> str:
    """Follow a value through classes that have sub-classes of their own."""
    seen = {target}
    while True:
        schema = follow(document, {"$ref": f"#/components/schemas/{target}"})
        further = schema.get("discriminator") or schema.get(OPEN)
        mapping = further.get("mapping", {}) if isinstance(further, dict) else {}
        target_of_value = str(mapping.get(value, "")).rpartition("/")[2]
        if not target_of_value or target_of_value in seen:
            return target
        target = target_of_value
        seen.add(target)
