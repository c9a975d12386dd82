"""Admission: how many requests a worker handles at once, and how long each may last."""

from __future__ import annotations

import asyncio
from collections.abc import Container

from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.limits.deadlines import Deadlines
from app.web.limits.errors import Overloaded, RequestTimedOut


class Slots:
    """The requests that a worker handles at once; one client has at most three quarters of them.

    A request takes its slot once its body is there and its caller is known: a client that sends
    slowly holds none.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._share = most - most // 4
        self._total = 0
        self._taken: dict[str, int] = {}

    def take(self, client: str) -> None:
        """Take a slot.

        Raises:
            Overloaded: all are taken, or as many as the client may have.
        """
        taken = self._taken.get(client, 0)
        if self._total >= self._most:
            raise Overloaded(f"{self._most} requests are being handled already")
        if taken >= self._share:
            raise Overloaded(f"{self._share} requests of this client are being handled already")
        self._total += 1
        self._taken[client] = taken + 1

    def give_back(self, client: str) -> None:
        """Give back a slot that the client has taken."""
        self._total -= 1
        self._taken[client] -= 1
        if not self._taken[client]:
            del self._taken[client]


class RequestDeadline:
    """Ends requests that last too long; the paths `managed` are exempt.

    What a request was doing in a thread goes on to its end: a change may have been made although
    the response says that it took too long.
    """

    def __init__(self, app: ASGIApp, *, seconds: float, managed: Container[str]) -> None:
        self._app = app
        self._deadlines = Deadlines(seconds)
        self._managed = managed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            RequestTimedOut: it took too long.
        """
        if scope["type"] != "http" or scope["path"] in self._managed:
            await self._app(scope, receive, send)
            return
        deadline = self._deadlines.begin()
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not deadline.was_cause():
                raise
            message = f"it took more than {self._deadlines.seconds:g} seconds"
            raise RequestTimedOut(message) from None
        finally:
            self._deadlines.end(deadline)
