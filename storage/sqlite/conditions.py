"""Conditions and sort keys of the query tree as SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from storage.errors import UnsupportedQuery
from storage.query import And, Comparison, Condition, Not, Operator, Or, Path, Scalar, SortKey
from storage.sqlite import paths


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values of its placeholders."""

    text: str
    values: tuple[str | int | float, ...] = ()


@dataclass(frozen=True, slots=True)
class Indexed:
    """How a path is indexed: by expression, or (`hint`) by rows of the element table."""

    hint: int | None = None


def condition(tree: Condition, indexes: Mapping[Path, Indexed]) -> Sql:
    """Compile a condition on a row of the document table.

    Raises:
        UnsupportedQuery: a comparison that SQL over JSON cannot express.
    """
    match tree:
        case Comparison():
            return _comparison(tree, indexes)
        case Not(inner):
            compiled = condition(inner, indexes)
            return Sql(f"NOT ({compiled.text})", compiled.values)
        case And(conditions):
            return _joined(" AND ", "1", conditions, indexes)
        case Or(conditions):
            return _joined(" OR ", "0", conditions, indexes)


def order(keys: tuple[SortKey, ...]) -> str:
    """Compile sort keys to ORDER BY terms: missing values last, newest first among equals."""
    terms = []
    for key in keys:
        value = "id" if key.path == ("id",) else paths.scalar(key.path)
        terms.append(f"{value} IS NULL, {value} {'DESC' if key.descending else 'ASC'}")
    return ", ".join([*terms, "seq DESC"])


def _joined(
    word: str, empty: str, conditions: tuple[Condition, ...], indexes: Mapping[Path, Indexed]
) -> Sql:
    parts = [condition(each, indexes) for each in conditions]
    if not parts:
        return Sql(empty)
    return Sql(
        word.join(f"({part.text})" for part in parts),
        tuple(value for part in parts for value in part.values),
    )


def _comparison(tree: Comparison, indexes: Mapping[Path, Indexed]) -> Sql:
    path, operator, value = tree.path, tree.operator, tree.value
    if (value is None or isinstance(value, bool)) and operator is not Operator.EQ:
        raise UnsupportedQuery("booleans and null can only be compared for equality")
    if path == ("id",):
        return Sql(f"id {operator} ?", (value,)) if isinstance(value, str) else Sql("0")
    index = indexes.get(path)
    if index is not None and not isinstance(value, bool) and value is not None:
        return _indexed(index, path, operator, value)
    if value is None:
        return Sql(f"NOT EXISTS (SELECT 1 FROM {paths.values(path)} WHERE v.type <> 'null')")
    holds = _holds("v.atom", "v.type", operator, value)
    return Sql(f"EXISTS (SELECT 1 FROM {paths.values(path)} WHERE {holds.text})", holds.values)


def _indexed(index: Indexed, path: Path, operator: Operator, value: str | int | float) -> Sql:
    if index.hint is None:
        kind = f"json_type(content, {paths.json_path(path)})"
        return _holds(paths.scalar(path), kind, operator, value)
    kinds = "'text'" if isinstance(value, str) else "'integer', 'real'"
    return Sql(
        f"seq IN (SELECT seq FROM element WHERE hint = {index.hint}"
        f" AND value {operator} ? AND typeof(value) IN ({kinds}))",
        (value,),
    )


def _holds(atom: str, kind: str, operator: Operator, value: Scalar) -> Sql:
    """Compare one JSON value, given as its SQL value and its JSON type's name."""
    if isinstance(value, bool):
        return Sql(f"{kind} = '{'true' if value else 'false'}'")
    if isinstance(value, str):
        return Sql(f"{atom} {operator} ? AND {kind} = 'text'", (value,))
    if value is None:
        return Sql(f"{kind} = 'null'")
    return Sql(f"{atom} {operator} ? AND {kind} IN ('integer', 'real')", (value,))
