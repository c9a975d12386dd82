"""What a handler knows of the resource it serves, taken from the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from storage import Index, Path

Resource: TypeAlias = dict[str, Any]
"""A resource as a client sees it: a JSON object."""


class Moment(StrEnum):
    """When the server sets a managed attribute to the current time."""

    CREATE = "create"
    STATUS_CHANGE = "status-change"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Fill:
    """A value the server gives to an attribute that a client left out.

    `path` walks objects and arrays. A string value may hold `{now}` and the names of scalar
    attributes beside the filled one, as in `/channel/{id}`.
    """

    path: Path
    value: Any


class Attributes(Protocol):
    """What the contract says of a resource's attributes."""

    def knows(self, path: Path) -> bool:
        """Whether the contract has an attribute at this path."""

    def is_instant(self, path: Path) -> bool:
        """Whether the attribute at this path is a date-time."""


@dataclass(frozen=True, slots=True)
class ResourceDefinition:
    """One resource collection of a contract.

    `collection` names it in the store; `path` is where it is served, without scheme and host;
    `check` raises `InvalidResource` for a resource that breaks the contract; `partial` says that
    the contract declares 206 for a page that is not the whole list.
    """

    type: str
    collection: str
    path: str
    check: Callable[[Resource], None]
    attributes: Attributes
    managed: Mapping[str, Moment] = field(default_factory=dict)
    fills: tuple[Fill, ...] = ()
    frozen: frozenset[str] = frozenset({"id", "href"})
    identity: tuple[str, ...] = ("id", "href")
    indexes: tuple[Index, ...] = ()
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one request may ask of the store."""

    default_page: int = 100
    largest_page: int = 1000
    largest_offset: int = 1_000_000
    conditions: int = 50
    path_depth: int = 10
    text_length: int = 1000
