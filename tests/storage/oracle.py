"""The query tree's meaning in plain Python, to hold the stores against."""

from __future__ import annotations

from datetime import datetime
from functools import cmp_to_key
from typing import Any

import re2

from storage import (
    INSTANT,
    And,
    AnyElement,
    Comparison,
    Condition,
    Matches,
    Not,
    Or,
    Path,
    Query,
)


def find(documents: list[dict[str, Any]], query: Query) -> tuple[list[str], int]:
    """Return the ids in a query's window, and how many match; `documents` come oldest first."""
    found = [
        (number, document)
        for number, document in enumerate(documents)
        if query.where is None or holds(query.where, document)
    ]

    def compare(left: tuple[int, Any], right: tuple[int, Any]) -> int:
        for key in query.sort:
            mine, theirs = (sort_value(each[1], key.path, key.instant) for each in (left, right))
            if mine != theirs:
                if mine is None or theirs is None:
                    return 1 if mine is None else -1
                return (1 if mine > theirs else -1) * (-1 if key.descending else 1)
        newest_first = not query.sort or query.sort[-1].descending
        return (right[0] - left[0]) * (1 if newest_first else -1)

    found.sort(key=cmp_to_key(compare))
    window = found[query.window.offset :][: query.window.limit]
    return [document["id"] for _, document in window], len(found)


def sort_value(document: Any, path: Path, instant: bool) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return as_instant(document) if instant else document


def holds(tree: Condition, value: Any) -> bool:
    match tree:
        case And(conditions):
            return all(holds(each, value) for each in conditions)
        case Or(conditions):
            return any(holds(each, value) for each in conditions)
        case Not(inner):
            return not holds(inner, value)
        case AnyElement(path, inner):
            return any(isinstance(each, dict) and holds(inner, each) for each in at(value, path))
        case Matches(path, pattern):
            return any(
                isinstance(each, str) and re2.search(pattern, each) for each in at(value, path)
            )
        case Comparison(path, operator, wanted):
            if wanted is None:
                return all(each is None for each in at(value, path))
            return any(stands(each, operator.name, wanted) for each in at(value, path))


def at(value: Any, path: Path) -> list[Any]:
    """Return the values at a path; the elements of an array stand for it."""
    values = [value]
    for name in path:
        found: list[Any] = []
        for each in values:
            if isinstance(each, dict) and name in each:
                found += each[name] if isinstance(each[name], list) else [each[name]]
        values = found
    return values


def stands(value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(wanted, datetime):
        value = as_instant(value)
    if kind(value) != kind(wanted):
        return False
    return {
        "EQ": lambda: value == wanted,
        "LT": lambda: value < wanted,
        "LE": lambda: value <= wanted,
        "GT": lambda: value > wanted,
        "GE": lambda: value >= wanted,
    }[operator]()


def kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def as_instant(value: Any) -> datetime | None:
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        return None
    return datetime.fromisoformat(value)
