"""The event log as the dispatchers of one worker read it: each batch once, for all of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from app.events.outbound.store_executor import StoreExecutor
from storage import Store, json

BATCH = 256
"""Most events that are read at once."""

_CACHED_BATCHES = 16


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event of the log: its number, the record of the change that caused it, and its bytes."""

    number: int
    record: dict[str, Any]
    size: int


class EventLogReader:
    """Reads from any number on, and caches the latest batches.

    `last` is the number of the newest event that the worker knows of.
    """

    def __init__(self, store: Store, executor: StoreExecutor) -> None:
        self._store = store
        self._executor = executor
        self._cached: OrderedDict[int, tuple[LogEntry, ...]] = OrderedDict()
        self._reading: dict[int, asyncio.Task[tuple[LogEntry, ...]]] = {}
        self.last = 0

    async def after(self, number: int) -> tuple[LogEntry, ...]:
        """Return the oldest events with greater numbers; the newest may not be among them yet."""
        if number in self._cached:
            return self._cached[number]
        if number not in self._reading:
            self._reading[number] = asyncio.create_task(self._fetch(number))
        return await asyncio.shield(self._reading[number])

    async def _fetch(self, number: int) -> tuple[LogEntry, ...]:
        try:
            events = await self._executor.run(self._store.events, number, BATCH)
            entries = tuple(
                LogEntry(each.number, json.loads(each.content), len(each.content))
                for each in events
            )
            if entries:
                self._cached[number] = entries
                if len(self._cached) > _CACHED_BATCHES:
                    self._cached.popitem(last=False)
            return entries
        finally:
            del self._reading[number]
