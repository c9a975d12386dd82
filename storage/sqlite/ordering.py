"""Sort keys, and the position of a page's end among them, as SQL."""

from __future__ import annotations

from storage.errors import UnsupportedQuery
from storage.query import KeyInForms, Path, Position, Scalar, SortKey, newest_first
from storage.sqlite import paths
from storage.sqlite.conditions import Sql, in_forms


def key_of(path: Path, *, instant: bool) -> str:
    """Return the expression that orders and indexes documents by a path."""
    if path == ("id",):
        return "id"
    value = paths.scalar(path)
    return paths.instant(value) if instant else value


def terms(keys: tuple[SortKey, ...], scalars: frozenset[Path]) -> tuple[str, ...]:
    """Return the expression each key orders by; `scalars` are the paths known to lead to one.

    At any other path there may be an object or array, which has no place in the order.
    """
    return tuple(_term(key, scalars) for key in keys)


def order(keys: tuple[SortKey, ...], terms: tuple[str, ...], seq: str = "seq") -> str:
    """Return ORDER BY terms: missing values last, equals by time of insertion.

    `seq` is the column of the documents' numbers, here and in `behind`.
    """
    ordered = [
        f"{term} {'DESC' if key.descending else 'ASC'} NULLS LAST"
        for key, term in zip(keys, terms, strict=True)
    ]
    return ", ".join([*ordered, f"{seq} {'DESC' if newest_first(keys) else 'ASC'}"])


def position_columns(terms: tuple[str, ...]) -> str:
    """Return the columns that make up a row's position."""
    return ", ".join([*terms, "seq"])


def behind(
    keys: tuple[SortKey, ...], terms: tuple[str, ...], position: Position, seq: str = "seq"
) -> Sql:
    """Return the condition that a row comes after a position.

    Raises:
        UnsupportedQuery: the position is not one of a query with these keys.
    """
    *values, number = position
    if len(values) != len(keys) or not isinstance(number, int):
        raise UnsupportedQuery("the position belongs to another query")
    sql = Sql(f"{seq} {'<' if newest_first(keys) else '>'} ?", (number,))
    for key, expression, value in reversed(list(zip(keys, terms, values, strict=True))):
        if value is None:
            sql = Sql(f"{expression} IS NULL AND ({sql.text})", sql.values)
            continue
        beyond, at = ("<", "<=") if key.descending else (">", ">=")
        # The first comparison is one an index can begin at; the others settle ties and absence.
        sql = Sql(
            f"({expression} {at} ? AND ({expression} {beyond} ? OR ({sql.text})))"
            f" OR {expression} IS NULL",
            (value, value, *sql.values),
        )
    return sql


def _term(key: SortKey, scalars: frozenset[Path]) -> str:
    value = _own_term(key, scalars)
    for other in key.elsewhere:
        there = _shown(other)
        there = paths.instant(there) if key.instant else there
        value = f"CASE WHEN {in_forms('form', other.forms)} THEN {there} ELSE {value} END"
    return value


def _own_term(key: SortKey, scalars: frozenset[Path]) -> str:
    value = key_of(key.path, instant=key.instant)
    if key.instant or key.path == ("id",) or key.path in scalars:
        return value
    return _orderable(key.path)


def _orderable(path: Path) -> str:
    return f"CASE WHEN {paths.kind(path)} NOT IN ('object', 'array') THEN {paths.scalar(path)} END"


def _shown(other: KeyInForms) -> str:
    """Return the expression for the value by which documents of other forms are ordered."""
    value = "NULL" if other.path is None else _orderable(other.path)
    cases = []
    for stored, shown in other.shown:
        if stored is not None:
            cases.append(f"WHEN {value} = {_constant(stored)} THEN {_constant(shown)}")
            continue
        absent = (
            "1" if other.path is None else f"coalesce({paths.kind(other.path)}, 'null') = 'null'"
        )
        if other.within:
            absent += f" AND {paths.kind(other.within)} = 'object'"
        cases.append(f"WHEN {absent} THEN {_constant(shown)}")
    return f"CASE {' '.join(cases)} ELSE {value} END" if cases else value


def _constant(value: Scalar) -> str:
    if value is None:
        return "NULL"
    return paths.literal(value) if isinstance(value, str) else str(+value)
