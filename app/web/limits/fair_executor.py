"""Fair executor: handler threads shared among clients."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from app.executor import HandlerExecutor

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Call:
    future: asyncio.Future[Any]
    function: Callable[[Any], Any]
    argument: Any
    client: str


class FairExecutor:
    """Runs calls in threads, those of different clients in turn; belongs to one event loop.

    One client occupies at most all threads but one, so that another client's call starts at once;
    with a single thread, calls of different clients alternate.
    """

    def __init__(self, threads: int) -> None:
        self._threads = HandlerExecutor(threads)
        self._count = threads
        self._share = max(1, threads - 1)
        self._total = 0
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[_Call]] = {}

    def run(self, function: Callable[[A], T], argument: A, client: str) -> asyncio.Future[T]:
        """Call a function in a thread; awaiting gives its result or raises its exception."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        call = _Call(future, function, argument, client)
        if client not in self._waiting and self._may_start(client):
            self._start(call)
        else:
            self._waiting.setdefault(client, deque()).append(call)
        return future

    def stop(self) -> None:
        """Let the calls that were started finish, then end the threads."""
        self._threads.stop()

    def _may_start(self, client: str) -> bool:
        return self._total < self._count and self._running.get(client, 0) < self._share

    def _start(self, call: _Call) -> None:
        self._total += 1
        self._running[call.client] = self._running.get(call.client, 0) + 1
        # A future of its own: a call that is not awaited any more still occupies its thread.
        outcome = self._threads.run(call.function, call.argument)
        outcome.add_done_callback(partial(self._ended, call))

    def _ended(self, call: _Call, outcome: asyncio.Future[Any]) -> None:
        self._total -= 1
        self._running[call.client] -= 1
        if not self._running[call.client]:
            del self._running[call.client]
        self._start_waiting()
        error = outcome.exception()
        if call.future.cancelled():
            return
        if error is None:
            call.future.set_result(outcome.result())
        else:
            call.future.set_exception(error)

    def _start_waiting(self) -> None:
        for client in tuple(self._waiting):
            while self._total < self._count and self._may_start(client):
                calls = self._waiting.pop(client)
                call = calls.popleft()
                if calls:
                    self._waiting[client] = calls  # behind the other clients
                if not call.future.cancelled():
                    self._start(call)
                    break
                if not calls:
                    break
