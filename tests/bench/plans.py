"""How MongoDB answers queries, as it explains them: by which index, and what it examines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import NetworkTimeout

from storage import Query, SortKey
from storage.mongo import MongoStore
from tests.bench.shapes import PAGE, TIES, shapes

EXAMINED_LIMIT = 2.0
"""Most documents that may be examined for one that is returned, where one index serves a query."""

_FILTERED = frozenset({"kind of reason", "direction, -creationDate", "direction, reason"})
"""Shapes whose condition lies in one index, and whose order in another: some are passed by."""

_SCANS = {"COLLSCAN": "none", "IDHACK": "_id_", "EXPRESS_CLUSTERED_IXSCAN": "_id_"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How one query is answered.

    `examined` is None where the server does not say, `returned` where it counts what matches and
    not what is returned.
    """

    name: str
    indexes: tuple[str, ...]
    sorts: bool
    examined: int | None
    returned: int | None
    judged: bool

    @property
    def ratio(self) -> float | None:
        """The documents examined for each that is returned."""
        if self.examined is None or self.returned is None:
            return None
        return self.examined / max(self.returned, 1)

    @property
    def bad(self) -> bool:
        """Whether a query that an index is to serve reads more than it returns.

        A sort in memory is none of it: of a few matches it costs little, and of many it reads all.
        """
        if not self.judged:
            return False
        much = self.ratio is not None and self.ratio > EXAMINED_LIMIT
        return much or "none" in self.indexes

    def __str__(self) -> str:
        how = ", ".join(self.indexes) + (", sorted in memory" if self.sorts else "")
        figures = [
            "" if each is None else form.format(each)
            for form, each in (
                ("{:,}", self.examined),
                ("{:,}", self.returned),
                ("{:.1f}x", self.ratio),
            )
        ]
        return f"{self.name:48}{figures[0]:>9}{figures[1]:>9}{figures[2]:>9}  {how}"


def plans(store: MongoStore, collection: str, total: int, *, judged: bool = True) -> Iterator[Plan]:
    """Explain the first page of every shape; those of one condition or order may be judged."""
    asked = [
        (shape.name, shape.query, _is_judged(shape.name, shape.grows))
        for shape in shapes(total)
        if judged or is_single(shape.name)
    ]
    for descending in (False, True):
        sort = (SortKey(("id",), descending),)
        name = f"sorted {'-' if descending else ''}id"
        asked.append((name, Query(sort=sort, window=PAGE, count=False), True))
    for name, query, served in asked:
        try:
            answers = store.finder(collection).explain(query)
        except NetworkTimeout:
            yield Plan(name, ("no answer in time",), False, None, None, judged=False)
            continue
        for answer in answers:
            yield read(name, answer, query.window.limit + 1, judged=judged and served)


def is_single(name: str) -> bool:
    """Whether a shape has one condition or one order; what two select lies in no one index."""
    return " & " not in name


def _is_judged(name: str, grows: str) -> bool:
    # The order of a status has an index of its own on MongoDB.
    return is_single(name) and name not in _FILTERED and (not grows or grows == TIES)


def read(name: str, answer: Mapping[str, Any], wanted: int, *, judged: bool) -> Plan:
    """Read a server's explanation of a query that wants so many documents."""
    whole = answer
    if "queryPlanner" not in answer:  # of an aggregation that the query engine does not finish
        answer = answer["stages"][0]["$cursor"]
    stages = [*_stages(answer["queryPlanner"]["winningPlan"])]
    indexes = dict.fromkeys(
        str(stage.get("indexName") or _SCANS[stage["stage"]])
        for stage in stages
        if "indexName" in stage or stage.get("stage") in _SCANS
    )
    figures = answer.get("executionStats") or {}
    examined, returned = figures.get("totalDocsExamined"), figures.get("nReturned")
    if returned is not None and returned > wanted:
        # SecantusDB says what matches in all, whatever the limit. What reads all is read all the
        # same; what an index finds it may stop to read.
        returned = wanted if "none" in indexes else None
    sorts = any(stage.get("stage") == "SORT" for stage in stages)
    sorts = sorts or any("$sort" in stage for stage in whole.get("stages", ()))
    return Plan(name, tuple(indexes), sorts, examined, returned, judged)


def _stages(plan: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(plan, Mapping):
        yield plan
        for each in plan.values():
            yield from _stages(each)
    elif isinstance(plan, list):
        for each in plan:
            yield from _stages(each)
