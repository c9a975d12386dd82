"""Threads in which a worker uses its store, so that its event loop never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from app.executor import HandlerExecutor
from storage import Store

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE = 8
_TOGETHER = 128


class StoreExecutor:
    """Calls of a store; those that queue up are made durable together, where that gains anything.

    They are apart from the event loop's own threads, which may all be waiting for name servers.
    """

    def __init__(self, store: Store) -> None:
        count = 1 if store.reads_without_io_wait else _AT_ONCE
        self._threads = HandlerExecutor(count, most=_TOGETHER, batch=store.batch)

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call a function in a thread; return its result or raise its exception."""
        return await self._threads.run(lambda _: function(*arguments, **named), None)

    async def stop(self) -> None:
        """Let what was asked for finish, then end the threads."""
        await asyncio.to_thread(self._threads.stop)
