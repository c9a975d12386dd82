"""The values that operators see, in the form in which the operator API answers them.

Ids are those of the store with `:` in place of `/`, so that they are one segment of a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Required, TypedDict, TypeVar

Item = TypeVar("Item")

MOST_AT_ONCE = 100
"""Events that a list has in memory at once, whatever its length: each may have a megabyte."""


class SubscriptionView(TypedDict, total=False):
    """A subscription and how its deliveries stand.

    `state` is `active`, `resting` (until `restsUntil`), `suspended`, `paused` or `unregistered`,
    and `reason` says why it is not active. `behind` counts the events that it has yet to receive,
    `missed` those that retention removed before; `waiting` and `parked` count failed deliveries.
    """

    id: Required[str]
    hub: Required[str]
    state: Required[str]
    behind: Required[int]
    missed: Required[int]
    waiting: Required[int]
    parked: Required[int]
    callback: str
    query: str
    owner: str
    reason: str
    restsUntil: str
    holder: str
    heldUntil: str
    lastSuccess: str
    lastFailure: str
    lastError: str


class DeliveryView(TypedDict, total=False):
    """A delivery that waits for its next attempt or was parked; `payload` where it is shown."""

    id: Required[str]
    subscription: Required[str]
    event: Required[str]
    eventType: Required[str]
    resource: Required[str]
    number: Required[int]
    state: Required[str]
    attempts: Required[int]
    nextAttempt: str
    error: str
    payload: dict[str, Any]


class ReceivedView(TypedDict, total=False):
    """An event that another system has sent to a listener here.

    `outcome` says what became of it: `kept` where nothing here follows such events, else `applied`,
    `outdated` (something newer was known) or `failed`, with a `reason`.
    """

    id: Required[str]
    listener: Required[str]
    receivedAt: Required[str]
    outcome: Required[str]
    reason: str
    eventId: str
    event: dict[str, Any]


class TestResult(TypedDict, total=False):
    """What a listener answered to a test event."""

    event: Required[str]
    delivered: Required[bool]
    milliseconds: Required[int]
    error: str


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """A part of a list, and how many there are in all."""

    items: Sequence[Item]
    total: int


def public_id(stored: str) -> str:
    """Return an id as operators see it."""
    return stored.replace("/", ":")


def stored_id(given: str) -> str:
    """Return an id as the store has it; it may be given as the log writes it."""
    return given.replace(":", "/")


def time_text(seconds: float) -> str:
    """Return seconds since 1970 as a date-time."""
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
