"""What a JSONPath query means: steps and expressions, as the parser returns them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Literal: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    """The attribute of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """The element at this index; negative ones count from the end."""

    index: int


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Every element (`[*]`), or whatever there is (`.*`) when `members`."""

    members: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """The elements that satisfy an expression."""

    expression: Expression


Step: TypeAlias = Name | Index | Wildcard | Filter
Steps: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The path, from the current element, selects something."""

    path: Steps


@dataclass(frozen=True, slots=True)
class Compared:
    """A value at the path stands in `symbol` to the literal; the literal of `=~` is a pattern."""

    path: Steps
    symbol: str
    literal: Literal


@dataclass(frozen=True, slots=True)
class Negated:
    """The expression does not hold."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Joined:
    """All expressions hold (`&&`), or at least one (`||`)."""

    symbol: str
    expressions: tuple[Expression, ...]


Expression: TypeAlias = Exists | Compared | Negated | Joined
