"""Connections: how many a worker keeps, and how long each may stay in a state."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from app.observability.log_events import LogEvent, log_event

_RESERVED_DESCRIPTORS = 64
"""File descriptors for the store, listening sockets, logs and outgoing connections."""
_WARN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds on the connections of a worker; times are in seconds.

    `header_seconds` is for the head of a request, `keep_alive` for the time between requests,
    `linger_seconds` for a client that still sends a body after its response, and `write_seconds`
    for a client that does not read its response. `most_unsent` bounds the bytes of responses that
    clients have yet to read. `most` bounds the connections of the worker,
    `most_per_address` those of one address: half of them by default, 0 is any number.
    """

    header_bytes: int = 32 * 1024
    header_seconds: float = 10.0
    keep_alive: float = 75.0
    linger_seconds: float = 10.0
    write_seconds: float = 20.0
    most_unsent: int = 256 * 1024 * 1024
    most: int = 1000
    most_per_address: int | None = None


class Connection(Protocol):
    """What a worker needs to know of a connection."""

    deadline: float | None
    """When the state of the connection has lasted too long, in the loop's time; None is never."""

    def is_idle(self) -> bool:
        """Whether the connection waits for a request."""

    def end(self) -> None:
        """Close the connection: its deadline has passed, or another needs its place."""

    def check_reading(self, now: float) -> tuple[int, float]:
        """Abort the connection if the client has not read what was sent for too long.

        Return how many bytes are still to be sent, and since when that is so.
        """

    def abort(self) -> None:
        """End the connection at once, whatever is still to be sent."""


class Connections:
    """The connections of a worker; one timer watches all of them."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.stopping = False
        self._most = min(limits.most, _descriptors() - _RESERVED_DESCRIPTORS)
        shared = limits.most_per_address
        self._per_address = self._most // 2 if shared is None else shared
        self._all: dict[Connection, str] = {}
        self._addresses: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        times = (limits.header_seconds, limits.keep_alive, limits.write_seconds)
        self._period = min(1.0, max(0.05, min(times) / 4))
        self._warned = float("-inf")
        self._unsent = 0
        """Bytes that were unsent when somebody last looked, and what came since."""
        self._bounding = False

    def add(self, connection: Connection, address: str) -> bool:
        """Add a new connection; False when there is no room for it.

        When a bound is reached, the oldest connection that waits for a request makes room.
        """
        loop = asyncio.get_running_loop()
        if self._per_address and self._addresses[address] >= self._per_address:
            if not self._make_room(address):
                self._warn(loop.time(), "address")
                return False
        elif len(self._all) >= self._most and not self._make_room(None):
            self._warn(loop.time(), "worker")
            return False
        self._all[connection] = address
        self._addresses[address] += 1
        if self._timer is None:
            self._timer = loop.call_later(self._period, self._sweep)
        return True

    def remove(self, connection: Connection) -> None:
        """Remove a connection that is closed."""
        address = self._all.pop(connection, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def note_unsent(self, size: int) -> None:
        """Note that clients have yet to read so many bytes more; too many are bounded at once.

        Between two looks of the timer, a fast worker makes more than it may keep.
        """
        self._unsent += size
        if self._unsent > self.limits.most_unsent and not self._bounding:
            self._bounding = True
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: self._bound_unsent(loop.time()))

    def _make_room(self, address: str | None) -> bool:
        """End the oldest idle connection, of an address or of any; False when there is none."""
        for connection, its in self._all.items():
            if address in (None, its) and connection.is_idle():
                self.remove(connection)
                connection.end()
                return True
        return False

    def _sweep(self) -> None:
        """End the connections whose deadline has passed."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self._all):
            if connection.deadline is not None and connection.deadline <= now:
                connection.end()
        self._bound_unsent(now)
        self._timer = loop.call_later(self._period, self._sweep) if self._all else None

    def _bound_unsent(self, now: float) -> None:
        """End the connections of the slowest readers, so that what is unsent stays bounded."""
        self._bounding = False
        total, slow = 0, []
        for connection in tuple(self._all):
            unsent, since = connection.check_reading(now)
            if unsent:
                total += unsent
                slow.append((since, unsent, connection))
        if total > self.limits.most_unsent:
            self._warn(now, "memory")
            for _, unsent, connection in sorted(slow, key=lambda each: each[:2]):
                connection.abort()
                total -= unsent
                if total <= self.limits.most_unsent:
                    break
        self._unsent = total

    def _warn(self, now: float, what: str) -> None:
        if now - self._warned < _WARN_SECONDS:
            return
        self._warned = now
        log_event(
            logging.WARNING,
            LogEvent.CONNECTIONS_EXHAUSTED,
            logger="tmf683.connections",
            message=f"no room for more connections: the bound of the {what}",
            bound=what,
            connections=len(self._all),
        )


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else max(soft, _RESERVED_DESCRIPTORS + 16)
