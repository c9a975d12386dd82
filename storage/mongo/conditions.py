"""Conditions of the query tree as MongoDB filters."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, TypeAlias

from storage.errors import UnsupportedQuery
from storage.instants import to_millisecond
from storage.mongo.envelope import INSTANT_SUFFIX, field
from storage.query import And, AnyElement, Comparison, Condition, Matches, Not, Operator, Or, Path
from storage.regex import compiled

Filter: TypeAlias = dict[str, Any]

_OPERATORS = {
    Operator.EQ: "$eq", Operator.LT: "$lt", Operator.LE: "$lte",
    Operator.GT: "$gt", Operator.GE: "$gte",
}  # fmt: skip
_VALUES = ["string", "double", "int", "long", "bool", "object", "date"]
"""BSON types of everything but null and arrays, whose elements count instead of them."""

_MULTILINE = re.compile(r"\(\?[A-Za-z]*m")
_DOLLAR = re.compile(
    r"\\Q.*?(?:\\E|$)|\\.|\[\^?+\]?+(?:\\.|\[:\^?\w++:\]|[^\]\\])*+\]?+|\$", re.DOTALL
)

_NOTHING: Filter = {"$nor": [{}]}


def condition(tree: Condition, prefix: str = "d.") -> Filter:
    """Compile a condition; `prefix` leads to the object its paths begin at.

    Raises:
        UnsupportedQuery: an ordering that has no meaning, or a pattern that is not RE2's.
    """
    match tree:
        case Comparison():
            return _comparison(tree, prefix)
        case Matches(path, pattern):
            compiled(pattern)
            return {field(path, prefix): {"$regex": _as_pcre(pattern)}}
        case AnyElement(path, inner):
            return _some(path, inner, prefix)
        case Not(inner):
            return {"$nor": [condition(inner, prefix)]}
        case And(conditions):
            return _joined("$and", [condition(each, prefix) for each in conditions], {})
        case Or(conditions):
            return _joined("$or", [condition(each, prefix) for each in conditions], _NOTHING)


def _comparison(tree: Comparison, prefix: str) -> Filter:
    path, operator, value = tree.path, tree.operator, tree.value
    if (value is None or isinstance(value, bool)) and operator is not Operator.EQ:
        raise UnsupportedQuery("booleans and null can only be compared for equality")
    if isinstance(value, datetime):
        name = field(path, prefix) + INSTANT_SUFFIX
        return {name: {_OPERATORS[operator]: to_millisecond(value)}}
    if prefix == "d." and path == ("id",):
        return {"_id": {_OPERATORS[operator]: value}} if isinstance(value, str) else _NOTHING
    if value is None:
        return {"$nor": [{field(path, prefix): {"$type": _VALUES}}]}
    if isinstance(value, int) and abs(value) >= 2**63:
        value = float(value)
    return {field(path, prefix): {_OPERATORS[operator]: value}}


def _some(path: Path, inner: Condition, prefix: str) -> Filter:
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
            {name: {"$elemMatch": condition(inner, "")}},
            {"$and": [{name: {"$not": {"$type": "array"}}}, alone]},
        ]
    }


def _as_pcre(pattern: str) -> str:
    """Return a pattern of RE2's for MongoDB, whose `$` would match before a last newline too."""
    if _MULTILINE.search(pattern):
        return pattern  # `$` is the end of a line in both
    return _DOLLAR.sub(lambda found: r"\z" if found[0] == "$" else found[0], pattern)


def _joined(word: str, parts: list[Filter], empty: Filter) -> Filter:
    if len(parts) < 2:
        return parts[0] if parts else empty
    return {word: parts}
