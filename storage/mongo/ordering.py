"""Sort keys, and the position of a page's end among them, in MongoDB's terms.

MongoDB orders absent values first. A descending key so has them last, as the port wants; for an
ascending one a computed field says whether there is a value, and is sorted by before it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from storage.errors import UnsupportedQuery
from storage.instants import to_millisecond
from storage.mongo.conditions import Filter
from storage.mongo.envelope import INSTANT_SUFFIX, Bson, field
from storage.query import Position, Scalar, SortKey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = (["double", "int", "long"], ["string"], ["object"], ["array"], ["bool"], ["date"])
"""BSON types in the order MongoDB sorts values of different types."""


def sort_field(key: SortKey) -> str:
    """Return the field a key sorts by."""
    if key.path == ("id",):
        return "_id"
    return field(key.path) + (INSTANT_SUFFIX if key.instant else "")


def missing_last(keys: tuple[SortKey, ...]) -> Filter:
    """Return the computed fields that put absent values last, for ascending keys."""
    return {
        f"m{number}": {"$lte": [f"${sort_field(key)}", None]}
        for number, key in enumerate(keys)
        if not key.descending and key.path != ("id",)
    }


def order(keys: tuple[SortKey, ...]) -> dict[str, int]:
    """Return the sort document; with ascending keys it uses the fields of `missing_last`."""
    terms: dict[str, int] = {}
    computed = missing_last(keys)
    for number, key in enumerate(keys):
        if f"m{number}" in computed:
            terms[f"m{number}"] = 1
        terms.setdefault(sort_field(key), -1 if key.descending else 1)
    return terms | {"n": -1} | ({} if "_id" in terms else {"_id": -1})


def position(keys: tuple[SortKey, ...], envelope: Bson) -> Position:
    """Return where an envelope stands in the order."""
    values = [_json(_value(envelope, sort_field(key))) for key in keys]
    return (*values, int(envelope["n"]), envelope["_id"])


def behind(keys: tuple[SortKey, ...], place: Position) -> Filter:
    """Return the condition that an envelope comes after a position.

    Raises:
        UnsupportedQuery: the position is not one of a query with these keys.
    """
    *values, number, id = place
    if len(values) != len(keys) or not isinstance(number, int):
        raise UnsupportedQuery("the position belongs to another query")
    found: Filter = {"$or": [{"n": {"$lt": number}}, {"n": number, "_id": {"$lt": id}}]}
    for key, value in reversed(list(zip(keys, values, strict=True))):
        name = sort_field(key)
        if value is None:
            found = {"$and": [{name: None}, found]}
            continue
        at = _bson(value, key)
        beyond = [{name: {"$lt" if key.descending else "$gt": at}}, {name: None}]
        types = _types_behind(at, descending=key.descending)
        if types:
            beyond.append({name: {"$type": types}})
        found = {"$or": [*beyond, {"$and": [{name: at}, found]}]}
    return found


def _types_behind(value: Any, *, descending: bool) -> list[str]:
    rank = {bool: 4, str: 1, datetime: 5}.get(type(value), 0)
    ranks = _TYPES[:rank] if descending else _TYPES[rank + 1 :]
    return [name for types in ranks for name in types]


def _value(envelope: Any, name: str) -> Any:
    """Return the value a document sorts by; arrays order as MongoDB pleases, by no one value."""
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
