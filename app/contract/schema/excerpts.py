"""Excerpts of large values: what is wrong with a value is found in parts of bounded size.

A validator makes every error of a value, with all alternatives that were tried, before it gives out
the first one: 70,000 wrong elements of an array take half a minute, in which nobody is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.contract.errors import pointer

_MOST = 200
"""Values that an excerpt has of one array or object."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a value, within as little of what contains it as is needed.

    `place` is the JSON pointer of the part in the value, `shown` where the excerpt has it. If the
    part is of an array, `start` is the index of its first element.
    """

    value: Any
    place: str = ""
    shown: str = ""
    start: int = 0

    def original(self, found: str) -> str | None:
        """Return the pointer in the value for one in the excerpt, None for what contains the part.

        What contains the part is not whole in the excerpt.
        """
        if found != self.shown and not found.startswith(f"{self.shown}/"):
            return None
        first, slash, rest = found[len(self.shown) + 1 :].partition("/")
        if self.start and first.isdigit():
            first = str(int(first) + self.start)
        return f"{self.place}/{first}{slash}{rest}" if found != self.shown else self.place


def is_large(value: Any) -> bool:
    """Whether a JSON value holds more values than an excerpt."""
    return _count(value, _MOST) > _MOST


def value_at(value: Any, place: str) -> Any:
    """Return the value at a JSON pointer into a value; None where there is none."""
    for part in place.split("/")[1:]:
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        else:
            name = part.replace("~1", "/").replace("~0", "~")
            value = value.get(name) if isinstance(value, dict) else None
    return value


def excerpts(value: Any) -> Iterator[Excerpt]:
    """Yield excerpts that have every part of a value; those of one attribute follow each other."""
    if not is_large(value):
        yield Excerpt(value)
    elif isinstance(value, dict):
        yield Excerpt(_beginning(value))
        small = {name: each for name, each in value.items() if not is_large(each)}
        beside = dict(islice(small.items(), _MOST))
        for name in [name for name in value if name not in small]:
            for inner in excerpts(value[name]):
                yield _within({**beside, name: inner.value}, inner, name, name)
    else:
        for start, elements in _groups(value):
            if len(elements) == 1 and is_large(elements[0]):
                for inner in excerpts(elements[0]):
                    yield _within([inner.value], inner, start, 0)
            else:
                yield Excerpt(elements, start=start)


def _within(value: Any, inner: Excerpt, key: str | int, shown: str | int) -> Excerpt:
    place, seen = pointer([key]) + inner.place, pointer([shown]) + inner.shown
    return Excerpt(value, place, seen, inner.start)


def _beginning(value: Any) -> Any:
    """Return a large value with the beginning of each array alone."""
    if not is_large(value):
        return value
    if isinstance(value, dict):
        return {name: _beginning(each) for name, each in value.items()}
    _, elements = next(_groups(value))
    return [_beginning(each) for each in elements]


def _groups(elements: list[Any]) -> Iterator[tuple[int, list[Any]]]:
    """Yield parts of an array that are no larger than an excerpt, or one element each."""
    start = size = 0
    for index, each in enumerate(elements):
        more = _count(each, _MOST)
        if index > start and size + more > _MOST:
            yield start, elements[start:index]
            start, size = index, 0
        size += more
    yield start, elements[start:]


def _count(value: Any, enough: int) -> int:
    """Return how many values a value holds, itself included; more than enough may be any more."""
    number, waiting = 1, [value]
    while waiting and number <= enough:
        each = waiting.pop()
        if isinstance(each, dict | list):
            number += len(each)
            if number <= enough:
                values = each.values() if isinstance(each, dict) else each
                waiting += [inner for inner in values if isinstance(inner, dict | list)]
    return number
