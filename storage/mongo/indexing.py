"""The indexes that hints ask for, as MongoDB's.

Every one ends in the order of insertion, which settles ties. Where the last path of a hint is a
time there are two, so that either direction can be read in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from storage.mongo.envelope import INSTANT_SUFFIX, field
from storage.port import Index
from storage.query import Path

Keys: TypeAlias = list[tuple[str, int]]

_ORDER_OF_INSERTION: Keys = [("n", -1), ("_id", -1)]
_OURS = frozenset({"_id_", "newest"})
_NEWEST, _OLDEST = ":newest", ":oldest"


def definitions(indexes: Iterable[Index]) -> dict[str, Keys]:
    """Return the keys of every index a collection should have, by name."""
    wanted = {"newest": _ORDER_OF_INSERTION}
    for index in indexes:
        *firsts, last = index.paths
        keys = [(_field(index, path), 1) for path in firsts]
        ends = [("", 1)] if last not in index.instants else [(_NEWEST, -1), (_OLDEST, 1)]
        for end, direction in ends:
            ordered = [*keys, (_field(index, last), direction)]
            wanted[index.name + end] = [*ordered, *_ORDER_OF_INSERTION]
    return wanted


def hinted(names: Iterable[str]) -> frozenset[str]:
    """Return the names of the hints that the indexes of these names are all there for."""
    there = frozenset(names) - _OURS
    single = {name for name in there if not name.endswith((_NEWEST, _OLDEST))}
    oldest = {name.removesuffix(_OLDEST) for name in there if name.endswith(_OLDEST)}
    return frozenset(single | {name for name in oldest if name + _NEWEST in there})


def _field(index: Index, path: Path) -> str:
    return field(path) + (INSTANT_SUFFIX if path in index.instants else "")
