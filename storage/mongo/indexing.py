"""The indexes that hints ask for, as MongoDB's.

Every one ends in the order of insertion, which settles ties: read backwards it gives descending
keys and newest first, forwards ascending ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from storage.mongo.envelope import INSTANT_SUFFIX, field
from storage.port import Index
from storage.query import Path

Keys: TypeAlias = list[tuple[str, int]]

_ORDER_OF_INSERTION: Keys = [("n", 1), ("_id", 1)]
_NEWEST = "newest"


def definitions(indexes: Iterable[Index]) -> dict[str, Keys]:
    """Return the keys of every index a collection should have, by name."""
    firsts: dict[str, Keys] = {_NEWEST: []}
    firsts |= {index.name: [(_field(index, path), 1) for path in index.paths] for index in indexes}
    return {name: [*keys, *_ORDER_OF_INSERTION] for name, keys in firsts.items()}


def hinted(names: Iterable[str]) -> frozenset[str]:
    """Return the names of the hints among the names of a collection's indexes."""
    return frozenset(names) - {"_id_", _NEWEST}


def _field(index: Index, path: Path) -> str:
    return field(path) + (INSTANT_SUFFIX if path in index.instants else "")
