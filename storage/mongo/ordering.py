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
from storage.evaluation import kind_of
from storage.instants import instant_of, to_millisecond
from storage.mongo.conditions import Filter
from storage.mongo.envelope import INSTANT_SUFFIX, Bson, field
from storage.query import KeyInForms, Path, Position, Scalar, SortKey, newest_first

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = (["double", "int", "long"], ["string"], ["object"], ["array"], ["bool"], ["date"])
"""BSON types in the order MongoDB sorts values of different types."""

_ABSENT = ["missing", "undefined", "null"]
_NO_VALUE = [*_ABSENT, "object", "array"]
"""BSON types, and a word of aggregations, of what has no place in the order."""


def sort_field(key: SortKey) -> str:
    """Return the field a key sorts by."""
    if key.path == ("id",):
        return "_id"
    return field(key.path) + (INSTANT_SUFFIX if key.instant else "")


def distinct(keys: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
    """Return the keys that decide: none after the id, which no two documents share."""
    for number, key in enumerate(keys):
        if key.path == ("id",):
            return keys[: number + 1]
    return keys


def is_plain(keys: tuple[SortKey, ...], scalars: frozenset[Path]) -> bool:
    """Whether the stored fields give the order; `scalars` are the paths that lead to one value."""
    keys = distinct(keys)
    known = all(key.path in scalars or key.path == ("id",) for key in keys)
    known = known and not any(key.elsewhere for key in keys)
    return known and all(key.descending or key.path == ("id",) for key in keys[1:])


def parts(keys: tuple[SortKey, ...], after: Position | None) -> tuple[Filter, ...]:
    """Return the conditions of the parts that a plain order is asked for in, one after another.

    Each part is a range of an index. Together they hold what comes after the position, or all.

    Raises:
        UnsupportedQuery: the position is not one of a query with these keys.
    """
    keys_that_decide = distinct(keys)
    first = keys_that_decide[0] if keys_that_decide else None
    if after is None:
        if first is None or first.descending or first.path == ("id",):
            return ({},)
        name = sort_field(first)
        return ({name: {"$ne": None}}, {name: None})
    values, number, id = _checked(keys, after)
    if first is None or first.path == ("id",):
        return (_following(keys_that_decide, values, number, id, newest_first(keys)),)
    name, value = sort_field(first), values[0]
    rest = _following(keys_that_decide[1:], values[1:], number, id, newest_first(keys))
    if value is None:
        return ({"$and": [{name: None}, rest]},)
    at = _bson(value, first)
    bound = {name: {"$lte" if first.descending else "$gte": at}}
    within: Filter = {**bound, "$nor": [{"$and": [{name: at}, {"$nor": [rest]}]}]}
    types = [] if first.instant else _types_behind(at, descending=first.descending)
    others: tuple[Filter, ...] = ({name: {"$type": types}},) if types else ()
    return (within, *others, {name: None})


def computed(keys: tuple[SortKey, ...]) -> Filter:
    """Return the fields that `order` sorts by when it is not plain: values, and their absence."""
    fields: Filter = {}
    for number, key in enumerate(keys):
        value = _expression(key)
        absent = {"$in": [{"$type": value}, _NO_VALUE]}
        fields[f"s{number}"] = {"$cond": [absent, None, value]}
        if not key.descending:
            fields[f"m{number}"] = absent
    return fields


def order(keys: tuple[SortKey, ...], *, plain: bool) -> dict[str, int]:
    """Return the sort document: of stored fields for a plain order, else of `computed` ones."""
    terms: dict[str, int] = {}
    for number, key in enumerate(distinct(keys)):
        if not plain and not key.descending:
            terms[f"m{number}"] = 1
        terms.setdefault(_sorted(key, number, plain), -1 if key.descending else 1)
    if any(key.path == ("id",) for key in keys):
        return terms
    ties = -1 if newest_first(keys) else 1
    return {**terms, "n": ties, "_id": ties}


def position(keys: tuple[SortKey, ...], envelope: Bson) -> Position:
    """Return where an envelope stands in the order."""
    values = [_json(_key_value(key, envelope)) for key in keys]
    return (*values, int(envelope["n"]), envelope["_id"])


def fields(keys: tuple[SortKey, ...]) -> list[str]:
    """Return the fields of an envelope that its position is made of."""
    found = []
    for key in keys:
        found.append(sort_field(key))
        for other in key.elsewhere:
            found += [_field_there(other, key)] if other.path else []
            found += [field(other.within)] if other.within else []
    return found


def behind(keys: tuple[SortKey, ...], place: Position) -> Filter:
    """Return the condition that an envelope with `computed` fields comes after a position.

    Raises:
        UnsupportedQuery: the position is not one of a query with these keys.
    """
    values, number, id = _checked(keys, place)
    return _following(distinct(keys), values, number, id, newest_first(keys), plain=False)


def _checked(keys: tuple[SortKey, ...], place: Position) -> tuple[tuple[Scalar, ...], int, Scalar]:
    *values, number, id = place
    if len(values) != len(keys) or not isinstance(number, int):
        raise UnsupportedQuery("the position belongs to another query")
    return tuple(values), number, id


def _following(
    keys: tuple[SortKey, ...],
    values: tuple[Scalar, ...],
    number: int,
    id: Scalar,
    newest: bool,
    *,
    plain: bool = True,
) -> Filter:
    """Return the condition that an envelope comes after these values of these keys."""
    further = "$lt" if newest else "$gt"
    found: Filter = {"n": {f"{further}e": number}}
    found["$or"] = [{"n": {further: number}}, {"n": number, "_id": {further: id}}]
    for position, (key, value) in reversed(list(enumerate(zip(keys, values, strict=False)))):
        name = _sorted(key, position, plain)
        beyond: Filter = {name: {"$lt" if key.descending else "$gt": value}}
        if key.path == ("id",):
            found = beyond
            continue
        if value is None:
            found = {"$and": [{name: None}, found]}
            continue
        at = _bson(value, key)
        beyond = {name: {"$lt" if key.descending else "$gt": at}}
        types = _types_behind(at, descending=key.descending)
        others = [{name: {"$type": types}}] if types and not key.instant else []
        found = {"$or": [beyond, {"$and": [{name: at}, found]}, {name: None}, *others]}
    return found


def _expression(key: SortKey) -> Any:
    """Return the expression for the value by which a document is ordered."""
    value: Any = f"${sort_field(key)}"
    for other in key.elsewhere:
        value = {"$cond": [{"$in": ["$f", [*other.forms]]}, _shown(other, key), value]}
    return value


def _shown(other: KeyInForms, key: SortKey) -> Any:
    stored = f"${_field_there(other, key)}" if other.path else None
    value: Any = stored
    for at, shown in other.shown:
        found: Filter = {"$eq": [stored, _constant(at, key)]}
        if at is None:
            found = {"$in": [{"$type": stored}, _ABSENT]}
            if other.within:
                within = f"${field(other.within)}"
                found = {"$and": [found, {"$eq": [{"$type": within}, "object"]}]}
        value = {"$cond": [found, _constant(shown, key), value]}
    return value


def _field_there(other: KeyInForms, key: SortKey) -> str:
    return sort_field(SortKey(other.path or (), instant=key.instant))


def _constant(value: Scalar, key: SortKey) -> Any:
    value = _as_stored(value, key)
    return {"$literal": value} if isinstance(value, str) else value


def _as_stored(value: Scalar, key: SortKey) -> Any:
    """Return a value as the field that a key sorts by has it."""
    if key.instant:
        return instant_of(value) if isinstance(value, str) else None
    return value


def _sorted(key: SortKey, number: int, plain: bool) -> str:
    return sort_field(key) if plain else f"s{number}"


def _types_behind(value: Any, *, descending: bool) -> list[str]:
    rank = {bool: 4, str: 1, datetime: 5}.get(type(value), 0)
    ranks = _TYPES[:rank] if descending else _TYPES[rank + 1 :]
    return [name for types in ranks for name in types]


def _key_value(key: SortKey, envelope: Bson) -> Any:
    """Return the value a document sorts by."""
    form = envelope.get("f", "")
    other = next((each for each in key.elsewhere if form in each.forms), None)
    if other is None:
        return _value(envelope, sort_field(key))
    found = _there(envelope, _field_there(other, key)) if other.path else None
    outside = other.within and not isinstance(_there(envelope, field(other.within)), dict)
    for stored, shown in () if found is None and outside else other.shown:
        at = _as_stored(stored, key)
        if kind_of(at) == kind_of(found) and at == found:
            return _as_stored(shown, key)
    return None if isinstance(found, dict | list) else found


def _value(envelope: Bson, name: str) -> Any:
    """Return the value in a field; None where it has no place in the order."""
    found = _there(envelope, name)
    return None if isinstance(found, dict | list) else found


def _there(envelope: Any, name: str) -> Any:
    for part in name.split("."):
        if not isinstance(envelope, dict) or part not in envelope:
            return None
        envelope = envelope[part]
    return envelope


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
