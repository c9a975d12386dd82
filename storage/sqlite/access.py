"""The access path of a query: which of its conditions selects the rows that the others filter.

SQLite's planner chooses an index by statistics. Without fresh ones it may start from a condition
that half of the documents fulfil, and the cost grows with the store. Here the conditions that have
an index are probed, each up to a bound: the first that selects few rows is the one to start from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from storage.sqlite import paths
from storage.sqlite.conditions import Indexed, Listed, Sql, joined
from storage.sqlite.covering import CoveringIndex

_BOUNDS = (100, 1_000, 10_000)
"""How many rows a condition may select to be started from; the smallest bound is tried first."""

_SELECTIVE = 50
"""A condition that selects no more rows than this is started from, whatever others select."""

_FEW = 1_000
"""So many rows are looked at all at once: the page and the count come from one look."""

_BOUND_WITHOUT_COUNT = 1_000
"""The largest bound for a page alone: behind it, following the order until the page is full is
cheaper than sorting."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a query reads: the table as SQL names it, and the condition on its rows.

    `few` says that a condition to start from selects few rows. `seq` is the column of the
    documents' numbers; `repeats` says that there may be several rows of one document.
    """

    table: str
    where: Sql
    few: bool = False
    seq: str = "seq"
    repeats: bool = False

    def numbers(self, where: Sql, order: str, limit: int, offset: int) -> Sql:
        """Return SQL that selects the numbers of documents, each once and in order."""
        group = f" GROUP BY {self.seq}" if self.repeats else ""
        return Sql(
            f"SELECT {self.seq} FROM {self.table} WHERE {where.text}{group}"
            f" ORDER BY {order} LIMIT ? OFFSET ?",
            (*where.values, limit, offset),
        )

    @property
    def count(self) -> Sql:
        """SQL that counts the documents."""
        rows = f"DISTINCT {self.seq}" if self.repeats else "*"
        return Sql(
            f"SELECT count({rows}) FROM {self.table} WHERE {self.where.text}", self.where.values
        )


def choose_access(
    connection: sqlite3.Connection,
    collection: str,
    parts: Sequence[Sql],
    *,
    counts: bool,
    newest: bool = False,
    covering: CoveringIndex | None = None,
) -> Access:
    """Return how to read the rows of a collection for which every part holds.

    `counts` says that all of them are read anyway, to be counted, and `newest` that they are asked
    for in the order of their numbers. `covering` is the collection's, if the database has it.
    """
    within = Sql(paths.within(collection))
    first, rows = _most_selective(connection, collection, parts, counts=counts)
    if first is None:
        # A page alone of many rows that match is soon full: no index but that of the order.
        ordered = parts and newest and not counts
        table = "document INDEXED BY document_newest" if ordered else "document"
        return Access(table, joined(" AND ", "1", [within, *parts]))
    others = [part for part in parts if part is not first]
    few = rows <= _FEW
    # No index but the one of the first condition: rows are looked up by their numbers.
    table = "document NOT INDEXED"
    if covering is not None and (not others or any(map(covering.covers, others))):
        plain = all(isinstance(part, Indexed) for part in others)
        if isinstance(first, Listed) and first.elements and plain:
            where = joined(" AND ", "1", [Sql(first.elements, first.values), *others])
            table = f"element CROSS JOIN {covering.written()}"
            return Access(table, where, few, seq="written.seq", repeats=True)
        table = f"document INDEXED BY {covering.name}"
    members = [_member(part) for part in others]
    where = joined(" AND ", "1", [_selected(first, collection), within, *members])
    return Access(table, where, few)


def _most_selective(
    connection: sqlite3.Connection, collection: str, parts: Sequence[Sql], *, counts: bool
) -> tuple[Sql | None, int]:
    """Return the condition that selects the fewest rows and their number at most.

    None when each selects many. What refers to other resources selects few as a rule, and is asked
    first.
    """
    candidates: list[Sql] = [part for part in parts if isinstance(part, Listed)]
    candidates += [part for part in parts if isinstance(part, Indexed)]
    if not parts or (len(parts) == 1 and counts):
        return None, 0
    for bound in _BOUNDS:
        if bound > _BOUND_WITHOUT_COUNT and not counts:
            break
        best, fewest = None, bound + 1
        for part in candidates:
            rows = _rows(connection, collection, part, bound)
            if rows < fewest:
                best, fewest = part, rows
            if rows <= _SELECTIVE:
                break
        if best is not None:
            return best, fewest
    return None, 0


def _rows(connection: sqlite3.Connection, collection: str, part: Sql, bound: int) -> int:
    """Return how many rows a condition selects, one more than the bound at most."""
    selection, values = _selection(part, collection)
    if isinstance(part, Listed):
        selection = part.probe
    counting = f"SELECT count(*) FROM ({selection} LIMIT {bound + 1})"
    (count,) = connection.execute(counting, values).fetchone()
    return int(count)


def _selected(part: Sql, collection: str) -> Sql:
    selection, values = _selection(part, collection)
    return Sql(f"seq IN ({selection})", values)


def _selection(part: Sql, collection: str) -> tuple[str, tuple[str | int | float, ...]]:
    if isinstance(part, Listed):
        return part.rows, part.values
    assert isinstance(part, Indexed)  # noqa: S101 - candidates are nothing else
    return part.selection(collection), part.values


def _member(part: Sql) -> Sql:
    return Sql(part.member, part.values) if isinstance(part, Listed) else part
