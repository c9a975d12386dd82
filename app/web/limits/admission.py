"""Admission: how many requests a worker handles at once, and how long each may last."""

from __future__ import annotations

import asyncio
from collections.abc import Container

from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.limits.errors import Overloaded, RequestTimedOut


class Slots:
    """The requests that a worker handles at once.

    A request takes its slot once its body is there and its caller is known: a client that sends
    slowly holds none.
    """

    __slots__ = ("_most", "_taken")

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    def __enter__(self) -> None:
        """Take a slot.

        Raises:
            Overloaded: all are taken.
        """
        if self._taken >= self._most:
            raise Overloaded(f"{self._most} requests are being handled already")
        self._taken += 1

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self._taken -= 1


class _Entry:
    """A request and its deadline, in the event loop's time."""

    __slots__ = ("deadline", "expired", "task")

    def __init__(self, task: asyncio.Task[object], deadline: float) -> None:
        self.task = task
        self.deadline = deadline
        self.expired = False


class RequestDeadline:
    """Ends requests that last too long; the paths `managed` are exempt.

    All requests have the same time, so their deadlines come in order: one timer, for the oldest,
    serves all of them. What a request was doing in a thread goes on to its end: a change may have
    been made although the response says that it took too long.
    """

    def __init__(self, app: ASGIApp, *, seconds: float, managed: Container[str]) -> None:
        self._app = app
        self._seconds = seconds
        self._managed = managed
        self._running: dict[_Entry, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            RequestTimedOut: it took too long.
        """
        task = asyncio.current_task()
        if task is None or scope["type"] != "http" or scope["path"] in self._managed:
            await self._app(scope, receive, send)
            return
        loop = task.get_loop()
        entry = _Entry(task, loop.time() + self._seconds)
        self._running[entry] = None
        if self._timer is None:
            self._timer = loop.call_at(entry.deadline, self._sweep)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if entry.expired and task.uncancel() == 0:
                raise RequestTimedOut(f"it took more than {self._seconds:g} seconds") from None
            raise
        finally:
            del self._running[entry]

    def _sweep(self) -> None:
        """Cancel the requests whose time is over, and wait for the next deadline."""
        self._timer = None
        loop = asyncio.get_running_loop()
        for entry in self._running:
            if entry.expired:
                continue
            if entry.deadline > loop.time():
                self._timer = loop.call_at(entry.deadline, self._sweep)
                return
            entry.expired = True
            entry.task.cancel()
