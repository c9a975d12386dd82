"""Evaluates the query tree on one JSON value, where no database does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from storage.instants import instant_of, to_millisecond
from storage.query import (
    And,
    AnyElement,
    Comparison,
    Condition,
    InForm,
    Matches,
    Not,
    Operator,
    Or,
    Path,
)
from storage.regex import compiled

_KINDS = (type(None), bool, datetime, int | float, str, dict, list)


def _go_on() -> None:
    """Check no time limit."""


def holds(
    tree: Condition,
    value: Any,
    id: str | None = None,
    form: str = "",
    check_time: Callable[[], None] = _go_on,
) -> bool:
    """Whether a JSON value satisfies a condition.

    `id` is compared where its `id` is meant; `form` is the form of the document that has the value.
    `check_time` is called for each part of the condition and each element that it is held against;
    its exceptions pass through.

    Raises:
        UnsupportedQuery: a pattern that is not RE2's.
    """
    check_time()
    match tree:
        case Comparison(path, operator, wanted):
            values = [id] if id is not None and path == ("id",) else _values(value, path)
            if wanted is None:
                return all(each is None for each in values)
            return any(_stands(each, operator, wanted) for each in values)
        case Matches(path, pattern):
            search = compiled(pattern).search
            return any(isinstance(each, str) and search(each) for each in _values(value, path))
        case AnyElement(path, inner):
            return any(
                isinstance(each, dict) and holds(inner, each, check_time=check_time)
                for each in _values(value, path)
            )
        case InForm(forms):
            return form in forms
        case Not(inner):
            return not holds(inner, value, id, form, check_time)
        case And(conditions):
            return all(holds(each, value, id, form, check_time) for each in conditions)
        case Or(conditions):
            return any(holds(each, value, id, form, check_time) for each in conditions)


def _values(value: Any, path: Path) -> list[Any]:
    """Return the values at a path, arrays entered, but not those directly within arrays."""
    found = [value]
    for name in path:
        steps = [each[name] for each in found if isinstance(each, dict) and name in each]
        found = [inner for each in steps for inner in (each if isinstance(each, list) else [each])]
    return found


def _stands(value: Any, operator: Operator, wanted: Any) -> bool:
    if isinstance(wanted, datetime):
        value = instant_of(value) if isinstance(value, str) else None
        wanted = to_millisecond(wanted)
    if kind_of(value) != kind_of(wanted):
        return False
    match operator:
        case Operator.EQ:
            return bool(value == wanted)
        case Operator.LT:
            return bool(value < wanted)
        case Operator.LE:
            return bool(value <= wanted)
        case Operator.GT:
            return bool(value > wanted)
        case Operator.GE:
            return bool(value >= wanted)


def kind_of(value: Any) -> int:
    """Return a number that tells the JSON types, and instants, apart."""
    for rank, types in enumerate(_KINDS):
        if isinstance(value, types):
            return rank
    return len(_KINDS)
