"""The log of events as the cursors of one worker read it: once, however many stand at one place."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from app.events.outbound.store_executor import StoreExecutor
from storage import Store, json

BATCH = 256
"""Most events that are read at once."""

_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event of the log: its number, and the record of the change that caused it."""

    number: int
    record: dict[str, Any]


class EventLogReader:
    """Reads on from any number, and remembers what was read last."""

    def __init__(self, store: Store, threads: StoreExecutor) -> None:
        self._store = store
        self._threads = threads
        self._read: OrderedDict[int, tuple[LogEntry, ...]] = OrderedDict()
        self._reading: dict[int, asyncio.Task[tuple[LogEntry, ...]]] = {}

    async def after(self, number: int) -> tuple[LogEntry, ...]:
        """Return the oldest events with greater numbers; the newest may not be among them yet."""
        if number in self._read:
            return self._read[number]
        if number not in self._reading:
            self._reading[number] = asyncio.create_task(self._fetch(number))
        return await asyncio.shield(self._reading[number])

    async def _fetch(self, number: int) -> tuple[LogEntry, ...]:
        try:
            events = await self._threads.run(self._store.events, number, BATCH)
            entries = tuple(LogEntry(each.number, json.loads(each.content)) for each in events)
            if entries:
                self._read[number] = entries
                if len(self._read) > _REMEMBERED:
                    self._read.popitem(last=False)
            return entries
        finally:
            del self._reading[number]
