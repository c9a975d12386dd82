"""Sort keys, and the position of a page's end among them, as SQL."""

from __future__ import annotations

from storage.errors import UnsupportedQuery
from storage.query import Path, Position, SortKey
from storage.sqlite import paths
from storage.sqlite.conditions import Sql


def key_of(path: Path, *, instant: bool) -> str:
    """Return the expression that orders and indexes documents by a path."""
    if path == ("id",):
        return "id"
    value = paths.scalar(path)
    return paths.instant(value) if instant else value


def order(keys: tuple[SortKey, ...]) -> str:
    """Return ORDER BY terms: missing values last, newest first among equals."""
    terms = [f"{_key(key)} {'DESC' if key.descending else 'ASC'} NULLS LAST" for key in keys]
    return ", ".join([*terms, "seq DESC"])


def position_columns(keys: tuple[SortKey, ...]) -> str:
    """Return the columns that make up a row's position."""
    return ", ".join([*map(_key, keys), "seq"])


def behind(keys: tuple[SortKey, ...], position: Position) -> Sql:
    """Return the condition that a row comes after a position.

    Raises:
        UnsupportedQuery: the position is not one of a query with these keys.
    """
    *values, seq = position
    if len(values) != len(keys) or not isinstance(seq, int):
        raise UnsupportedQuery("the position belongs to another query")
    sql = Sql("seq < ?", (seq,))
    for key, value in reversed(list(zip(keys, values, strict=True))):
        expression = _key(key)
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


def _key(key: SortKey) -> str:
    return key_of(key.path, instant=key.instant)
