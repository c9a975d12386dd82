"""The query tree that crosses the storage port.

Frozen values only: a caller says what to find, an adapter compiles it to its database's own
query. A path walks objects by attribute name and enters every array on its way, so a comparison
holds for a document when at least one value at its path satisfies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Path: TypeAlias = tuple[str, ...]
"""Attribute names from the document's root, for example `("relatedParty", "id")`."""

Scalar: TypeAlias = str | int | float | bool | None


class Operator(StrEnum):
    """How a stored value is held against the value of a comparison."""

    EQ = "="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True, slots=True)
class Comparison:
    """Some value at `path` has the JSON type of `value` and stands in `operator` to it.

    Strings compare by code point, numbers by value (1 equals 1.0, never true). Booleans and None
    know only `EQ`; None holds when the path has no value or nothing but nulls.
    """

    path: Path
    operator: Operator
    value: Scalar


@dataclass(frozen=True, slots=True)
class And:
    """Every condition holds; true when there is none."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one condition holds; false when there is none."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: Condition


Condition: TypeAlias = Comparison | And | Or | Not


@dataclass(frozen=True, slots=True)
class SortKey:
    """Order by the value at `path`; documents without one come last in both directions."""

    path: Path
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Skip `offset` documents (0 or more), return at most `limit` (0 or more)."""

    offset: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents of a collection, in which order, which part of them.

    Ties in the sort keys, and the order where there are none, are by time of insertion, newest
    first, so the order is always total.
    """

    where: Condition | None = None
    sort: tuple[SortKey, ...] = ()
    window: Window = Window()
