"""What a handler knows of the resource it serves, taken from the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from storage import Index

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

    path: tuple[str, ...]
    value: Any


@dataclass(frozen=True, slots=True)
class ResourceDefinition:
    """One resource collection of a contract.

    `collection` names it in the store; `path` is where it is served, without scheme and host;
    `check` raises `InvalidResource` for a resource that breaks the contract.
    """

    type: str
    collection: str
    path: str
    check: Callable[[Resource], None]
    managed: Mapping[str, Moment] = field(default_factory=dict)
    fills: tuple[Fill, ...] = ()
    frozen: frozenset[str] = frozenset({"id", "href"})
    identity: tuple[str, ...] = ("id", "href")
    indexes: tuple[Index, ...] = ()
