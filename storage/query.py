"""The query tree that crosses the storage port.

Immutable values only: a caller says what to find, an adapter compiles it to its database's own
query. A path walks objects by attribute name and enters the elements of every array on its way, so
a comparison holds for a document when at least one value at its path satisfies it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Path: TypeAlias = tuple[str, ...]
"""Attribute names from the document's root, for example `("relatedParty", "id")`."""

Scalar: TypeAlias = str | int | float | bool | None

Value: TypeAlias = Scalar | datetime
"""What a stored value is compared with; an aware datetime is an instant."""

INSTANT = re.compile(
    r"(?!0000|0001-01-01)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-](0\d|1[0-4]):[0-5]\d)",
    re.ASCII,
)
"""The form in which a stored string also counts as an instant (RFC 3339 §5.6, upper case).

The day has to exist, and offsets are those of this world, up to 14 hours.
"""


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

    Strings compare by code point, numbers by value (1 equals 1.0, never true), instants at
    millisecond precision with the strings of `INSTANT`'s form, whatever their offset. Booleans and
    None know only `EQ`; None holds when the path has no value or nothing but nulls.
    """

    path: Path
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Matches:
    """Some string at `path` contains a match of `pattern`, in RE2's syntax and linear time."""

    path: Path
    pattern: str


@dataclass(frozen=True, slots=True)
class AnyElement:
    """Some object at `path` satisfies the condition, whose paths begin at that object.

    This is how conditions meet on the same element of an array.
    """

    path: Path
    condition: Condition


@dataclass(frozen=True, slots=True)
class InForm:
    """The document's `form` is one of these; not to be used inside `AnyElement`."""

    forms: tuple[str, ...]


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


Leaf: TypeAlias = Comparison | Matches | AnyElement
Condition: TypeAlias = Leaf | InForm | And | Or | Not


def paths_in(tree: Condition, here: Path = ()) -> Iterator[Path]:
    """Yield the path of every value that a condition on the object at `here` asks about."""
    match tree:
        case Comparison(path) | Matches(path):
            yield here + path
        case AnyElement(path, inner):
            yield from paths_in(inner, here + path)
        case Not(inner):
            yield from paths_in(inner, here)
        case And(conditions) | Or(conditions):
            for each in conditions:
                yield from paths_in(each, here)


@dataclass(frozen=True, slots=True)
class KeyInForms:
    """What documents of some forms have in the place of a sort key's value.

    It is at `path`; nowhere where that is None. `shown` pairs values with those by which the
    documents are ordered instead. None in it stands for no value; the pair in which it comes first
    counts where there is an object at `within`.
    """

    forms: tuple[str, ...]
    path: Path | None
    shown: tuple[tuple[Scalar, Scalar], ...] = ()
    within: Path = ()


@dataclass(frozen=True, slots=True)
class SortKey:
    """Order by the value at `path`; documents without one come last in both directions.

    An `instant` key orders strings of `INSTANT`'s form by the instant; other values count as
    missing, as objects, arrays and whatever lies behind an array always do. Values of different
    JSON types order as the store pleases, but always the same way. Documents of the forms that
    `elsewhere` names order by what it says.
    """

    path: Path
    descending: bool = False
    instant: bool = False
    elsewhere: tuple[KeyInForms, ...] = ()


def newest_first(keys: tuple[SortKey, ...]) -> bool:
    """Whether documents with equal sort keys, or none, come newest first; see `Query`."""
    return not keys or keys[-1].descending


Position: TypeAlias = tuple[Scalar, ...]
"""Where a page ended in the order of its query: JSON values that only the store understands."""


@dataclass(frozen=True, slots=True)
class Window:
    """Skip `offset` documents (0 or more), return at most `limit` (0 or more)."""

    offset: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents of a collection, in which order, which part of them.

    Ties in the sort keys, and the order where there are none, are by time of insertion, so the
    order is always total: newest first, or oldest first where the last key ascends (so that one
    index serves a key both ways). `after` starts behind the end of another page of the same
    query, exactly there whatever was inserted or deleted since. `select` keeps only the values at
    these paths (all when empty). `count` asks for the number of all matches too. A page ends early,
    though not before its first document, when its documents would have more than `most_bytes`.
    `seconds` is how long the query may take, where that is less than the store's own limit.
    """

    where: Condition | None = None
    sort: tuple[SortKey, ...] = ()
    window: Window = Window()
    after: Position | None = None
    select: tuple[Path, ...] = ()
    count: bool = True
    most_bytes: int | None = None
    seconds: float | None = None
