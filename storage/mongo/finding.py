"""Finding envelopes: those in a query's window, and how many match in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pymongo.collection import Collection

from storage.mongo import log, ordering
from storage.mongo.conditions import Filter, condition
from storage.mongo.envelope import Bson, field
from storage.query import Query

_THERE: Filter = {"x": None}
"""What is no tombstone."""

_LARGEST = 2**31 - 1
"""MongoDB's largest skip and limit."""


@dataclass(frozen=True, slots=True)
class Finder:
    """Asks one collection; each question may take so many milliseconds."""

    collection: Collection[Bson]
    milliseconds: int

    def find(self, query: Query, *, plain: bool) -> tuple[list[Bson], int | None]:
        """Return the envelopes of a window, one more when there is one, and how many match.

        A `plain` order is one that stored fields give (`ordering.is_plain`).
        """
        stated = condition(query.where) if query.where is not None else {}
        where = {"$and": [_THERE, stated]} if stated else _THERE
        rows: list[Bson] = []
        if query.window.offset <= _LARGEST:
            rows = (self._plain if plain else self._computed)(query, where)
        if not query.count:
            return rows, None
        more = len(rows) > query.window.limit
        if not more and query.after is None and (rows or not query.window.offset):
            return rows, query.window.offset + len(rows)
        return rows, self._total(stated)

    def everything(self) -> Any:
        """Return a cursor over all envelopes."""
        return self.collection.find(_THERE, max_time_ms=self.milliseconds)

    def _plain(self, query: Query, where: Filter) -> list[Bson]:
        conditions = [where]
        if query.after is not None:
            conditions.append(ordering.behind(query.sort, query.after, plain=True))
        offset, wanted = query.window.offset, _wanted(query)
        rows: list[Bson] = []
        for part in ordering.parts(query.sort):
            asked = {"$and": [*conditions, part]} if part or len(conditions) > 1 else where
            rows += self.collection.find(
                asked,
                _projection(query),
                sort=list(ordering.order(query.sort, plain=True).items()),
                skip=offset,
                limit=wanted - len(rows),
                max_time_ms=self.milliseconds,
            )
            if len(rows) == wanted:
                break
            if offset and part:
                offset = 0 if rows else max(0, offset - self._count(asked))
        return rows

    def _computed(self, query: Query, where: Filter) -> list[Bson]:
        stages: list[Filter] = [{"$match": where}, {"$addFields": ordering.computed(query.sort)}]
        if query.after is not None:
            stages.append({"$match": ordering.behind(query.sort, query.after, plain=False)})
        stages.append({"$sort": ordering.order(query.sort, plain=False)})
        if query.window.offset:
            stages.append({"$skip": query.window.offset})
        stages.append({"$limit": _wanted(query)})
        if projection := _projection(query):
            stages.append({"$project": projection})
        return list(
            self.collection.aggregate(stages, maxTimeMS=self.milliseconds, allowDiskUse=True)
        )

    def _total(self, stated: Filter) -> int:
        """Return how many match, in a way that an index can tell: tombstones are counted apart."""
        known = self._count(stated) if stated else self._estimate()
        return max(0, known - self._count({"$and": [log.TOMBSTONE, stated]}))

    def _count(self, where: Filter) -> int:
        return self.collection.count_documents(where, maxTimeMS=self.milliseconds)

    def _estimate(self) -> int:
        return self.collection.estimated_document_count(maxTimeMS=self.milliseconds)


def _wanted(query: Query) -> int:
    """Return how many envelopes to ask for: the window's, and one to know whether more follow."""
    return min(query.window.limit, _LARGEST - 1) + 1


def _projection(query: Query) -> dict[str, int] | None:
    """Return what is to be read of each envelope: the selected paths, and those sorted by."""
    if not query.select:
        return None
    names = [field(path) for path in query.select if path != ("href",)]
    names += [ordering.sort_field(key) for key in query.sort]
    chosen: dict[str, int] = {"v": 1, "n": 1, "f": 1}
    for name in sorted(set(names)):
        if not any(name.startswith(f"{other}.") for other in chosen):  # else they collide
            chosen[name] = 1
    return chosen
