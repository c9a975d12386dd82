"""Finding envelopes: those in a query's window, and how many match in all."""

from __future__ import annotations

from dataclasses import dataclass

from pymongo import errors
from pymongo.collection import Collection

from storage.mongo import ordering
from storage.mongo.conditions import Filter, condition
from storage.mongo.envelope import DELETED, EVENTS, Bson, field
from storage.query import Path, Query

_THERE: Filter = {DELETED: None}
"""Matches documents that are not tombstones."""

_TOMBSTONE: Filter = {DELETED: True}
"""Matches tombstones: deleted documents whose events are not in the log yet."""

WITHOUT_EVENTS = {EVENTS: 0}
"""The projection of a whole document."""

_COUNT_SHARE = 4
"""A count may take this part of the time of a query: the page does not fail for its total."""

_LARGEST = 2**31 - 1
"""MongoDB's largest skip and limit."""


@dataclass(frozen=True, slots=True)
class Finder:
    """Queries one collection, each within so many milliseconds.

    The paths in `scalars` are indexed and have no array on their way.
    """

    collection: Collection[Bson]
    milliseconds: int
    scalars: frozenset[Path] = frozenset()

    def find(self, query: Query) -> tuple[list[Bson], int | None]:
        """Return the envelopes of a window, one more when there is one, and how many match.

        The number is None where the query does not ask for it, or counting takes too long.
        """
        stated = condition(query.where, scalars=self.scalars) if query.where is not None else {}
        where = {"$and": [_THERE, stated]} if stated else _THERE
        rows: list[Bson] = []
        if query.window.offset <= _LARGEST:
            plain = ordering.is_plain(query.sort, self.scalars)
            rows = (self._plain if plain else self._computed)(query, where)
        if not query.count:
            return rows, None
        more = len(rows) > query.window.limit
        if not more and query.after is None and (rows or not query.window.offset):
            return rows, query.window.offset + len(rows)
        return rows, self._total(stated)

    def explain(self, query: Query) -> list[Bson]:
        """Return the server's plans for the queries that the first page of `query` takes."""
        stated = condition(query.where, scalars=self.scalars) if query.where is not None else {}
        where = {"$and": [_THERE, stated]} if stated else _THERE
        database, name = self.collection.database, self.collection.name
        if not ordering.is_plain(query.sort, self.scalars):
            computed = {"aggregate": name, "pipeline": self._stages(query, where), "cursor": {}}
            return [database.command({"explain": computed, "verbosity": "executionStats"})]
        part = ordering.parts(query.sort, query.after)[0]
        command: Filter = {
            "find": name,
            "filter": {"$and": [where, part]} if part else where,
            "sort": ordering.order(query.sort, plain=True),
            "skip": query.window.offset,
            "limit": _wanted(query),
        }
        return [database.command({"explain": command, "verbosity": "executionStats"})]

    def _plain(self, query: Query, where: Filter) -> list[Bson]:
        offset, wanted = query.window.offset, _wanted(query)
        rows: list[Bson] = []
        for part in ordering.parts(query.sort, query.after):
            asked = {"$and": [where, part]} if part else where
            rows += self.collection.find(
                asked,
                _projection(query),
                sort=list(ordering.order(query.sort, plain=True).items()),
                skip=offset,
                limit=wanted - len(rows),
                max_time_ms=self.milliseconds,
                allow_disk_use=True,
            )
            if len(rows) == wanted:
                break
            if offset and part:
                offset = 0 if rows else max(0, offset - self._count(asked))
        return rows

    def _computed(self, query: Query, where: Filter) -> list[Bson]:
        stages = self._stages(query, where)
        return list(
            self.collection.aggregate(stages, maxTimeMS=self.milliseconds, allowDiskUse=True)
        )

    @staticmethod
    def _stages(query: Query, where: Filter) -> list[Filter]:
        stages: list[Filter] = [{"$match": where}, {"$addFields": ordering.computed(query.sort)}]
        if query.after is not None:
            stages.append({"$match": ordering.behind(query.sort, query.after)})
        stages.append({"$sort": ordering.order(query.sort, plain=False)})
        if query.window.offset:
            stages.append({"$skip": query.window.offset})
        stages.append({"$limit": _wanted(query)})
        stages.append({"$project": _projection(query)})
        return stages

    def _total(self, stated: Filter) -> int | None:
        """Return how many match, counted by an index where there is one: tombstones separately.

        None when that takes more than a part of the time that a query may take.
        """
        try:
            known = self._count(stated) if stated else self._estimate()
            return max(0, known - self._count({"$and": [_TOMBSTONE, stated]}))
        except errors.ExecutionTimeout:
            return None

    def _count(self, where: Filter) -> int:
        return self.collection.count_documents(where, maxTimeMS=self._count_milliseconds)

    def _estimate(self) -> int:
        return self.collection.estimated_document_count(maxTimeMS=self._count_milliseconds)

    @property
    def _count_milliseconds(self) -> int:
        return max(1, self.milliseconds // _COUNT_SHARE)


def _wanted(query: Query) -> int:
    """Return how many envelopes to ask for: the window's, and one to know whether more follow."""
    return min(query.window.limit, _LARGEST - 1) + 1


def _projection(query: Query) -> dict[str, int]:
    """Return what is to be read of each envelope: the selected paths, and those sorted by.

    Never the waiting events, which may be many.
    """
    if not query.select:
        return WITHOUT_EVENTS
    names = [field(path) for path in query.select if path != ("href",)]
    names += ordering.fields(query.sort)
    chosen: dict[str, int] = {"v": 1, "n": 1, "f": 1}
    for name in sorted(set(names)):
        if not any(name.startswith(f"{other}.") for other in chosen):  # else they collide
            chosen[name] = 1
    return chosen
