"""Threads that run handlers for the event loop.

What `loop.run_in_executor` does, at half its cost, and with a batch: calls that queued up while a
thread was busy run one after the other and are answered together, so that what is expensive once
(waiting for the disk, waking the event loop) is paid once for all of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """A call whose result is awaited in the event loop."""

    future: asyncio.Future[Any]
    function: Callable[[Any], Any]
    argument: Any
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        """Run the function and keep its result or exception."""
        try:
            self.result = self.function(self.argument)
        except BaseException as error:  # raised where the call is awaited
            self.error = error

    def settle(self) -> None:
        """Set the result or exception of the awaited future, in the event loop."""
        if self.future.cancelled():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class HandlerExecutor:
    """A fixed number of threads, started with the first call.

    Each takes up to `most` calls at once and runs them inside `batch`; when leaving the batch
    fails, every call in it fails with that error.
    """

    def __init__(
        self,
        count: int,
        *,
        most: int = 1,
        batch: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._most = most
        self._batch = batch
        self._count = count
        self._threads: list[threading.Thread] = []

    def run(self, function: Callable[[Any], T], argument: Any) -> asyncio.Future[T]:
        """Call a function in a thread; awaiting gives its result or raises its exception."""
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._work, name=f"handler-{number}", daemon=True)
                for number in range(self._count)
            ]
            for thread in self._threads:
                thread.start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put(Call(future, function, argument))
        return future

    def stop(self) -> None:
        """Let the calls that wait finish, then end the threads."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        more = True
        while more:
            calls, more = self._take()
            try:
                with self._batch():
                    for call in calls:
                        call.run()
            except BaseException as error:  # nothing in the batch was made durable
                for call in calls:
                    call.error = call.error or error
            if calls:
                try:
                    calls[0].future.get_loop().call_soon_threadsafe(_settle, calls)
                except RuntimeError:  # the loop is closed, nobody awaits any more
                    return

    def _take(self) -> tuple[list[Call], bool]:
        """Wait for a call and take those that queue behind it; False when it is to stop."""
        calls: list[Call] = []
        call = self._calls.get()
        while call is not None:
            calls.append(call)
            if len(calls) == self._most:
                return calls, True
            try:
                call = self._calls.get_nowait()
            except Empty:
                return calls, True
        return calls, False


def _settle(calls: list[Call]) -> None:
    for call in calls:
        call.settle()
