"""Resources that are brought into a store as if clients had created them at some time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from app.tmf630.definitions import Resource

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True, slots=True)
class NewResource:
    """A resource to create: its id, its time (RFC 3339), and the body of the request."""

    id: str
    time: str
    body: Resource


def rfc3339(moment: datetime) -> str:
    """Return a moment in UTC as the server writes times: milliseconds, `Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ended(new: NewResource, moment: datetime, within: timedelta) -> NewResource:
    """Return a resource whose times are moved, so that the last of them is at a moment.

    The time from the first to the last becomes no longer than `within`.
    """
    first = datetime.fromisoformat(new.time)
    instants = [*_instants(new.body), first]
    last, longest = max(instants), max(instants) - min(instants)
    scale = min(1.0, within / longest) if longest else 1.0

    def move(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: move(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [move(inner) for inner in value]
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return rfc3339(moment - (last - datetime.fromisoformat(value)) * scale)
        return value

    return NewResource(new.id, move(new.time), move(new.body))


def texts(value: Any) -> Iterator[str]:
    """Yield the texts within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def _instants(value: Any) -> Iterator[datetime]:
    for text in texts(value):
        if _INSTANT.fullmatch(text):
            yield datetime.fromisoformat(text)


def uuid7(moment: datetime, random: Random) -> UUID:
    """Return the UUIDv7 (RFC 9562 §5.7) of a moment, its random bits from `random`."""
    milliseconds = int(moment.timestamp() * 1000)
    first, rest = random.getrandbits(12), random.getrandbits(62)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | first << 64 | 0b10 << 62 | rest)


def integer_id(moment: datetime, random: Random) -> int:
    """Return an id of 53 bits, ordered by time as those that the server makes."""
    return int(moment.timestamp() * 1000) << 12 | random.getrandbits(12)
