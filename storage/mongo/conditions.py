"""Conditions of the query tree as MongoDB filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

from storage.errors import UnsupportedQuery
from storage.instants import to_millisecond
from storage.mongo.envelope import (
    DIGITS_SUFFIX,
    INSTANT_SUFFIX,
    NESTED,
    field,
    is_long,
    stored_double,
)
from storage.mongo.patterns import as_pcre
from storage.query import (
    And,
    AnyElement,
    Comparison,
    Condition,
    InForm,
    Matches,
    Not,
    Operator,
    Or,
    Path,
)
from storage.regex import compiled

Filter: TypeAlias = dict[str, Any]

_OPERATORS = {
    Operator.EQ: "$eq", Operator.LT: "$lt", Operator.LE: "$lte",
    Operator.GT: "$gt", Operator.GE: "$gte",
}  # fmt: skip
_VALUES = ["string", "double", "int", "long", "bool", "object", "date"]
"""BSON types of everything but null and arrays, whose elements count instead of them."""

_NOTHING: Filter = {"$nor": [{}]}
_JSON_OBJECT: Filter = {NESTED: {"$exists": False}, DIGITS_SUFFIX: {"$exists": False}}
"""What an element of an array is that stands for an object, not for a nested array or a number.

Equality with null would also hold for a nested array that has a null.
"""


def condition(
    tree: Condition, prefix: str = "d.", scalars: frozenset[Path] = frozenset()
) -> Filter:
    """Compile a condition; `prefix` leads to the object its paths begin at.

    The paths in `scalars` are indexed and have no array on their way, below the envelope.

    Raises:
        UnsupportedQuery: an ordering that has no meaning, or a pattern that is not RE2's.
    """
    match tree:
        case Comparison():
            return _comparison(tree, prefix, scalars)
        case Matches(path, pattern):
            compiled(pattern)
            return {field(path, prefix): {"$regex": as_pcre(pattern)}}
        case AnyElement(path, inner):
            return _any_element(path, inner, prefix)
        case InForm(forms):
            return {"f": {"$in": [*forms]}}
        case Not(inner):
            return {"$nor": [condition(inner, prefix, scalars)]}
        case And(conditions):
            return _joined("$and", [condition(each, prefix, scalars) for each in conditions], {})
        case Or(conditions):
            return _joined(
                "$or", [condition(each, prefix, scalars) for each in conditions], _NOTHING
            )


def _comparison(tree: Comparison, prefix: str, scalars: frozenset[Path]) -> Filter:
    path, operator, value = tree.path, tree.operator, tree.value
    if (value is None or isinstance(value, bool)) and operator is not Operator.EQ:
        raise UnsupportedQuery("booleans and null can only be compared for equality")
    if isinstance(value, datetime):
        name = field(path, prefix) + INSTANT_SUFFIX
        return {name: {_OPERATORS[operator]: to_millisecond(value)}}
    if prefix == "d." and path == ("id",):
        return {"_id": {_OPERATORS[operator]: value}} if isinstance(value, str) else _NOTHING
    if value is None:
        name = field(path, prefix)
        empty: Filter = {"$nor": [{name: {"$type": _VALUES}}]}
        return {"$and": [{name: None}, empty]} if path in scalars and prefix == "d." else empty
    name = field(path, prefix)
    if isinstance(value, int) and is_long(value):
        found: Filter = {name: {_OPERATORS[operator]: stored_double(value)}}
        return found | {name + DIGITS_SUFFIX: str(value)} if operator is Operator.EQ else found
    return {name: {_OPERATORS[operator]: value}}


def _any_element(path: Path, inner: Condition, prefix: str) -> Filter:
    """Find one object on the path that satisfies the condition, in an array or alone.

    `$elemMatch` knows only arrays, and dotted paths would let several conditions meet different
    elements, so each attribute on the way is taken by itself.
    """
    match inner:
        case Comparison(below, _, value) if value is not None:
            return condition(Comparison(path + below, inner.operator, value), prefix)
        case Matches(below, pattern):
            return condition(Matches(path + below, pattern), prefix)
        case Or(conditions):
            return condition(Or(tuple(AnyElement(path, each) for each in conditions)), prefix)
    first, rest = path[:1], path[1:]
    if rest:
        inner = AnyElement(rest, inner)
    name = field(first, prefix)
    alone = {"$and": [{name: {"$type": "object"}}, condition(inner, f"{name}.")]}
    return {
        "$or": [
            {name: {"$elemMatch": {**_JSON_OBJECT, **condition(inner, "")}}},
            {"$and": [{name: {"$not": {"$type": "array"}}}, alone]},
        ]
    }


def _joined(word: str, parts: list[Filter], empty: Filter) -> Filter:
    if len(parts) < 2:
        return parts[0] if parts else empty
    return {word: parts}
