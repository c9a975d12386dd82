"""Filters on a collection: query parameters as conditions of the query tree (TMF630 part 1).

Every parameter that is not reserved names an attribute, with dots into objects and arrays.
Parameters must all hold; several values of one, repeated or separated by commas, are
alternatives.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from handlers.definition import ResourceDefinition
from storage import And, Comparison, Condition, Operator, Or, Path, SortKey

RESERVED = frozenset({"fields", "offset", "limit", "sort", "filter", "before", "after"})

_NOTHING = Or(())
_LITERALS = {"true": True, "false": False, "null": None}


def condition(
    definition: ResourceDefinition, parameters: Iterable[tuple[str, str]]
) -> Condition | None:
    """Return the condition that the query's parameters state; None when they state none."""
    wanted: dict[str, list[str]] = {}
    for name, value in parameters:
        if name and name not in RESERVED:
            wanted.setdefault(name, []).append(value)
    conditions = [_attribute(definition, name, values) for name, values in wanted.items()]
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else And(tuple(conditions))


def sort_keys(values: Iterable[str]) -> tuple[SortKey, ...]:
    """Parse `sort` parameters: `-` before a path is descending, `+` or nothing ascending.

    An unencoded `+` arrives as a space.
    """
    keys = []
    for value in values:
        for term in value.split(","):
            name = term.strip().lstrip("+-").strip()
            if name:
                keys.append(SortKey(tuple(name.split(".")), term.strip().startswith("-")))
    return tuple(keys)


def _attribute(definition: ResourceDefinition, name: str, values: list[str]) -> Condition:
    if name == "href":
        return _either(_href(definition, value) for value in values)
    path = tuple(name.split("."))
    return _either(_equals(path, literal) for value in values for literal in _alternatives(value))


def _either(conditions: Iterable[Condition]) -> Condition:
    alternatives = tuple(conditions)
    return alternatives[0] if len(alternatives) == 1 else Or(alternatives)


def _href(definition: ResourceDefinition, value: str) -> Condition:
    """Match a reference by its path, whatever host and prefix it was written with."""
    place, _, id = urlsplit(value.strip('"')).path.rpartition("/")
    if not id or not place.endswith(definition.path):
        return _NOTHING
    return Comparison(("id",), Operator.EQ, id)


def _alternatives(value: str) -> list[str]:
    """Split at commas; the text as a whole stays an alternative, commas are legal in values."""
    if "," not in value or _is_quoted(value):
        return [value]
    return [value, *value.split(",")]


def _equals(path: Path, literal: str) -> Condition:
    """Compare with what the literal reads as, and always with the text itself too."""
    if _is_quoted(literal):
        return Comparison(path, Operator.EQ, literal[1:-1])
    text = Comparison(path, Operator.EQ, literal)
    if literal in _LITERALS:
        return Or((text, Comparison(path, Operator.EQ, _LITERALS[literal])))
    number = _number(literal)
    return text if number is None else Or((text, Comparison(path, Operator.EQ, number)))


def _is_quoted(literal: str) -> bool:
    return len(literal) > 1 and literal[0] == literal[-1] == '"'


def _number(literal: str) -> int | float | None:
    if not literal[:1].isdigit() and literal[:1] not in ("-", "+", "."):
        return None
    if not literal.isascii() or "_" in literal:
        return None
    try:
        if literal.lstrip("+-").isdigit() and len(literal) < 19:
            return int(literal)
        number = float(literal)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
