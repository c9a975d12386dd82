"""What FerretDB 1 lacks of MongoDB, done here so that it can stand in for it in tests.

FerretDB 1 has neither `$elemMatch` with conditions nor computed fields. Queries that need them are
answered by reading the collection and holding each document against the query tree: right, but
without an index. Nor does it make a change that names a version atomic: the store's changes take
turns, so only one process may use such a server. MongoDB never comes this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Any

from pymongo import MongoClient

from storage.errors import UnsupportedQuery
from storage.evaluation import holds, kind_of
from storage.mongo import ordering
from storage.mongo.envelope import Bson, decode
from storage.port import Document, Page
from storage.query import (
    And,
    AnyElement,
    Comparison,
    Condition,
    Matches,
    Not,
    Or,
    Query,
    newest_first,
)


def is_needed(client: MongoClient[Bson]) -> bool:
    """Whether the server is one that lacks what `find` below does."""
    return "ferretdbVersion" in client.admin.command("buildInfo")


def is_beyond(query: Query, *, plain: bool) -> bool:
    """Whether a query, in a plain order or not, needs what such a server lacks."""
    return not plain or (query.where is not None and _meets_elements(query.where))


def find(envelopes: Iterable[Bson], query: Query, document_of: Callable[[Bson], Document]) -> Page:
    """Answer a query from all the envelopes of its collection."""
    found = [
        envelope
        for envelope in envelopes
        if query.where is None or holds(query.where, decode(envelope["d"]), envelope["_id"])
    ]
    found.sort(key=cmp_to_key(lambda left, right: _compare(query, left, right)))
    total = len(found)
    if query.after is not None:
        place = query.after
        if len(place) != len(query.sort) + 2:
            raise UnsupportedQuery("the position belongs to another query")
        found = [each for each in found if _compare_places(query, _place(query, each), place) > 0]
    window = found[query.window.offset :][: query.window.limit + 1]
    more, window = len(window) > query.window.limit, window[: query.window.limit]
    return Page(
        tuple(document_of(envelope).selected(query.select) for envelope in window),
        total if query.count else None,
        _place(query, window[-1]) if more and window else None,
    )


def _meets_elements(tree: Condition) -> bool:
    match tree:
        case AnyElement(_, Comparison(_, _, value)):
            return value is None
        case AnyElement(_, Matches()):
            return False
        case AnyElement(path, Or(conditions)):
            return any(_meets_elements(AnyElement(path, each)) for each in conditions)
        case AnyElement():
            return True
        case Not(inner):
            return _meets_elements(inner)
        case And(conditions) | Or(conditions):
            return any(map(_meets_elements, conditions))
    return False


def _place(query: Query, envelope: Bson) -> tuple[Any, ...]:
    return ordering.position(query.sort, envelope)


def _compare(query: Query, left: Bson, right: Bson) -> int:
    return _compare_places(query, _place(query, left), _place(query, right))


def _compare_places(query: Query, left: tuple[Any, ...], right: tuple[Any, ...]) -> int:
    keys = len(query.sort)
    for position, (mine, theirs) in enumerate(zip(left, right, strict=True)):
        descending = (
            query.sort[position].descending if position < keys else newest_first(query.sort)
        )
        if mine is None or theirs is None:
            result = (mine is None) - (theirs is None)
        else:
            first, second = (kind_of(mine), mine), (kind_of(theirs), theirs)
            result = (first > second) - (first < second)
            result = -result if descending else result
        if result:
            return result
    return 0
