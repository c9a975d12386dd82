"""Sort keys, and the position of a page's end among them, in MongoDB's terms.

MongoDB orders absent values first, and an array by one of its elements; the port wants the first
last and the other nowhere. Where each path is known to lead to one value, and no key but the first
ascends, indexes can give the order: an ascending first key is asked for in two parts, those with a
value and those without. Any other order is one of computed fields.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from storage.errors import UnsupportedQuery
from storage.instants import to_millisecond
from storage.mongo.conditions import Filter
from storage.mongo.envelope import INSTANT_SUFFIX, Bson, field
from storage.query import Path, Position, Scalar, SortKey, newest_first

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = (["double", "int", "long"], ["string"], ["object"], ["array"], ["bool"], ["date"])
"""BSON types in the order MongoDB sorts values of different types."""

_NO_VALUE = ["missing", "undefined", "null", "object", "array"]
"""BSON types, and a word of aggregations, of what has no place in the order."""


def sort_field(key: SortKey) -> str:
    """Return the field a key sorts by."""
    if key.path == ("id",):
        return "_id"
    return field(key.path) + (INSTANT_SUFFIX if key.instant else "")


def is_plain(keys: tuple[SortKey, ...], scalars: frozenset[Path]) -> bool:
    """Whether the stored fields give the order; `scalars` are the paths that lead to one value."""
    known = all(key.path in scalars or key.path == ("id",) for key in keys)
    return known and all(key.descending or key.path == ("id",) for key in keys[1:])


def parts(keys: tuple[SortKey, ...]) -> tuple[Filter, ...]:
    """Return the conditions of the parts that a plain order is asked for in, one after another."""
    if not keys or keys[0].descending or keys[0].path == ("id",):
        return ({},)
    name = sort_field(keys[0])
    return ({name: {"$ne": None}}, {name: None})


def computed(keys: tuple[SortKey, ...]) -> Filter:
    """Return the fields that `order` sorts by when it is not plain: values, and their absence."""
    fields: Filter = {}
    for number, key in enumerate(keys):
        value = f"${sort_field(key)}"
        absent = {"$in": [{"$type": value}, _NO_VALUE]}
        fields[f"s{number}"] = {"$cond": [absent, None, value]}
        if not key.descending:
            fields[f"m{number}"] = absent
    return fields


def order(keys: tuple[SortKey, ...], *, plain: bool) -> dict[str, int]:
    """Return the sort document: of stored fields for a plain order, else of `computed` ones."""
    terms: dict[str, int] = {}
    for number, key in enumerate(keys):
        if not plain and not key.descending:
            terms[f"m{number}"] = 1
        terms.setdefault(_sorted(key, number, plain), -1 if key.descending else 1)
    ties = -1 if newest_first(keys) else 1
    return {name: terms.get(name, ties) for name in (*terms, "n", "_id")}


def position(keys: tuple[SortKey, ...], envelope: Bson) -> Position:
    """Return where an envelope stands in the order."""
    values = [_json(_value(envelope, sort_field(key))) for key in keys]
    return (*values, int(envelope["n"]), envelope["_id"])


def behind(keys: tuple[SortKey, ...], place: Position, *, plain: bool) -> Filter:
    """Return the condition that an envelope comes after a position; see `order`.

    The bounds that are stated twice are those an index can begin at.

    Raises:
        UnsupportedQuery: the position is not one of a query with these keys.
    """
    *values, number, id = place
    if len(values) != len(keys) or not isinstance(number, int):
        raise UnsupportedQuery("the position belongs to another query")
    further = "$lt" if newest_first(keys) else "$gt"
    found: Filter = {"n": {f"{further}e": number}}
    found["$or"] = [{"n": {further: number}}, {"n": number, "_id": {further: id}}]
    for position, (key, value) in reversed(list(enumerate(zip(keys, values, strict=True)))):
        name = _sorted(key, position, plain)
        if value is None:
            found = {"$and": [{name: None}, found]}
            continue
        at = _bson(value, key)
        beyond = {name: {"$lt" if key.descending else "$gt": at}}
        bound = {name: {"$lte" if key.descending else "$gte": at}}
        following = {**bound, "$or": [beyond, {"$and": [{name: at}, found]}]}
        types = _types_behind(at, descending=key.descending)
        others = [{name: {"$type": types}}] if types and not key.instant else []
        found = {"$or": [following, {name: None}, *others]}
    return found


def _sorted(key: SortKey, number: int, plain: bool) -> str:
    return sort_field(key) if plain else f"s{number}"


def _types_behind(value: Any, *, descending: bool) -> list[str]:
    rank = {bool: 4, str: 1, datetime: 5}.get(type(value), 0)
    ranks = _TYPES[:rank] if descending else _TYPES[rank + 1 :]
    return [name for types in ranks for name in types]


def _value(envelope: Any, name: str) -> Any:
    """Return the value a document sorts by."""
    for part in name.split("."):
        if not isinstance(envelope, dict) or part not in envelope:
            return None
        envelope = envelope[part]
    return None if isinstance(envelope, dict | list) else envelope


def _json(value: Any) -> Scalar:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round((aware - _EPOCH) / timedelta(milliseconds=1))
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)  # not BSON's own kind of int
    scalar: Scalar = value
    return scalar


def _bson(value: Scalar, key: SortKey) -> Any:
    if key.instant and isinstance(value, int):
        return to_millisecond(_EPOCH + timedelta(milliseconds=value))
    return value
