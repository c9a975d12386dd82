"""Admission: how many requests a worker takes at once, and how long each may last."""

from __future__ import annotations

import asyncio
from collections.abc import Container

from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.limits.errors import Overloaded, RequestTimedOut


class Admission:
    """Lets a request in while there is room; the paths `managed` are always answered.

    A request that lasts too long is answered all the same, and what it was doing is left to its
    end: a change may have been made although its answer says that it took too long.
    """

    def __init__(self, app: ASGIApp, *, most: int, seconds: float, managed: Container[str]) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds
        self._managed = managed
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            Overloaded: there is no room.
            RequestTimedOut: it took too long.
        """
        if scope["type"] != "http" or scope["path"] in self._managed:
            await self._app(scope, receive, send)
            return
        if self._running >= self._most:
            raise Overloaded(f"{self._most} requests are being handled already")
        self._running += 1
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                raise
            raise RequestTimedOut(f"it took more than {self._seconds:g} seconds") from None
        finally:
            self._running -= 1
