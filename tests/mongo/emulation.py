"""The adapter on FerretDB 1, with what that lacks of MongoDB done here.

FerretDB 1 has neither `$elemMatch` with conditions, computed fields, look-behind in regular
expressions nor partial indexes. Queries that need one of the first three are answered by reading
the collection and evaluating the query tree on each document: right, but without an index. Nor does
it make a change that names a version atomic: changes take turns, so only one process may use such a
server.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from typing import Any

import pymongo

from storage.errors import UnsupportedQuery
from storage.evaluation import holds, kind_of
from storage.mongo import ordering
from storage.mongo.envelope import Bson, decode
from storage.mongo.finding import WITHOUT_EVENTS
from storage.mongo.patterns import as_pcre
from storage.mongo.store import MongoStore, document_of
from storage.port import Document, Index, Page
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


class FerretStore(MongoStore):
    """`MongoStore` on FerretDB 1, in one process."""

    single_process = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._turn = threading.RLock()

    def insert(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        with self._turn:
            return super().insert(collection, id, content, form=form, events=events)

    def insert_many(self, collection: str, documents: Sequence[Document]) -> tuple[bool, ...]:
        with self._turn:
            return super().insert_many(collection, documents)

    def replace(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        version: int,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        with self._turn:
            return super().replace(
                collection, id, content, version=version, form=form, events=events
            )

    def delete(
        self, collection: str, id: str, *, version: int, events: Sequence[bytes] = ()
    ) -> None:
        with self._turn:
            super().delete(collection, id, version=version, events=events)

    def find(self, collection: str, query: Query) -> Page:
        plain = ordering.is_plain(query.sort, self._scalars.get(collection, frozenset()))
        if plain and (query.where is None or not _is_beyond(query.where)):
            return super().find(collection, query)
        return _find(self._collection(collection).find({"x": None}, WITHOUT_EVENTS), query)

    def _move_events(self, *, wait: bool) -> None:
        with self._turn:
            super()._move_events(wait=wait)

    def _definitions(self, indexes: Iterable[Index]) -> list[pymongo.IndexModel]:
        found = super()._definitions(indexes)
        for model in found:
            model.document.pop("partialFilterExpression", None)
        return found


def _find(envelopes: Iterable[Bson], query: Query) -> Page:
    """Answer a query from all the envelopes of its collection."""
    found = [
        envelope
        for envelope in envelopes
        if query.where is None
        or holds(query.where, decode(envelope["d"]), envelope["_id"], envelope["f"])
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


def _is_beyond(tree: Condition) -> bool:
    """Whether FerretDB cannot say whether a condition holds."""
    match tree:
        case Matches(_, pattern):
            return "(?<=" in as_pcre(pattern)  # its regular expressions are Go's
        case AnyElement(_, Comparison(_, _, value)):
            return value is None
        case AnyElement(_, Matches() as inner):
            return _is_beyond(inner)
        case AnyElement(path, Or(conditions)):
            return any(_is_beyond(AnyElement(path, each)) for each in conditions)
        case AnyElement():
            return True
        case Not(inner):
            return _is_beyond(inner)
        case And(conditions) | Or(conditions):
            return any(map(_is_beyond, conditions))
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
