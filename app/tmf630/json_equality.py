"""JSON equality: unlike Python's `==`, true and 1 are different values."""

from __future__ import annotations

from typing import Any

ABSENT = object()
"""Marks an absent attribute; it equals no JSON value."""


def without_nulls(value: Any) -> Any:
    """Return a value without the attributes that are null, at any depth."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same, at any depth; true is not 1.

    A change shares with what it changes all that it leaves alone, which is not looked into.
    """
    if left is right:
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[each], right[each]) for each in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and type(left) is type(right)
