"""The delivery worker: gives every cursor that has work to a run, and tidies up behind them.

Many workers may share a store: each takes the cursors that no other holds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.events.outbound.delivery_cursors import (
    CursorLost,
    DeliveryCursor,
    DeliveryCursors,
    open_cursor,
)
from app.events.outbound.dispatcher import Dispatcher, DispatcherResources
from app.events.outbound.event_log import EventLogReader
from app.events.outbound.retry_policy import RetryPolicy
from app.events.outbound.store_executor import StoreExecutor
from app.events.outbound.subscriptions import Subscription, Subscriptions
from app.events.outbound.webhook import WebhookSender
from storage import Store, StoreError

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
"""How long subscriptions and cursors are believed to be as they were, while nothing happens."""
_TIDY_SECONDS = 10.0
_STOP_SECONDS = 5.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
"""How long a cursor is left alone after a run on it failed here: twice as long each time."""
_STORE_PAUSE = 1.0
"""How long at most when it is the store that failed: that comes back for all cursors."""
_YOUNG_SECONDS = 60.0
"""A cursor is younger than this when its subscription may still be on its way into the store."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """A cursor whose runs fail, through no fault of its listener; `until` is monotonic time."""

    pause: float
    until: float

    @classmethod
    def after(cls, earlier: _Trouble | None, longest: float) -> _Trouble:
        """Return the trouble after one more failure."""
        pause = min(earlier.pause * 2, longest) if earlier else _FIRST_PAUSE
        return cls(pause, time.monotonic() + pause)


class DeliveryWorker:
    """Delivers until it is stopped; one process may run one."""

    def __init__(
        self,
        store: Store,
        subscriptions: Subscriptions,
        cursors: DeliveryCursors,
        sender: Callable[[], WebhookSender],
        retry: RetryPolicy,
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._cursors = cursors
        self._make_sender = sender
        self._retry = retry
        self._threads = StoreExecutor(store)
        self._log = EventLogReader(store, self._threads)
        self._stopping = asyncio.Event()
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._troubled: dict[str, _Trouble] = {}
        self._last = -1
        self._look_at = 0.0
        self._tidied_at = 0.0

    def stop(self) -> None:
        """Let `run` end soon; called from the loop it runs in."""
        self._stopping.set()

    async def run(self) -> None:
        """Deliver until stopped; a store that is away is waited for."""
        self._sender = self._make_sender()
        try:
            while not self._stopping.is_set():
                try:
                    await self._look()
                except StoreError as error:
                    _log.warning("delivery waits for the store: %s", error)
                    await self._pause(_STORE_PAUSE)
                except Exception:
                    _log.exception("delivery failed, and goes on")
                    await self._pause(1.0)
                await self._pause(self._retry.poll_seconds)
        finally:
            await self._finish()

    async def _look(self) -> None:
        """Start a run on every cursor that is free and has work."""
        last = await self._threads.run(self._store.last_event)
        if last == self._last and time.monotonic() < self._look_at:
            return
        self._last, self._look_at = last, time.monotonic() + _LOOK_SECONDS
        wanted, cursors = await self._threads.run(self._read)
        now = time.time()
        for name, subscription in wanted.items():
            cursor = cursors.get(name)
            if cursor is None:  # its hub could not begin one
                await self._threads.run(open_cursor, self._store, name, last)
            elif name in self._runs or self._is_left_alone(name):
                continue
            elif cursor.is_free(self._cursors.holder, now) and cursor.has_work(last, now):
                self._start(name, subscription)
        for name in self._runs.keys() - wanted.keys():
            self._runs[name].cancel()
        for name in self._troubled.keys() - wanted.keys():
            del self._troubled[name]
        if time.monotonic() - self._tidied_at > _TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            await self._tidy([cursor for name, cursor in cursors.items() if name not in wanted])
            before = datetime.now(UTC) - timedelta(hours=self._retry.retention_hours)
            await asyncio.to_thread(self._store.prune_events, before)

    def _read(self) -> tuple[dict[str, Subscription], dict[str, DeliveryCursor]]:
        return self._subscriptions.read(), {each.id: each for each in self._cursors.all()}

    def _is_left_alone(self, name: str) -> bool:
        trouble = self._troubled.get(name)
        return trouble is not None and time.monotonic() < trouble.until

    def _start(self, name: str, subscription: Subscription) -> None:
        def ended(_: asyncio.Task[None]) -> None:
            del self._runs[name]
            self._look_at = 0.0

        run = asyncio.create_task(self._serve(name, subscription))
        self._runs[name] = run
        run.add_done_callback(ended)

    async def _serve(self, name: str, subscription: Subscription) -> None:
        """Work on one cursor while there is something to do."""
        try:
            cursor = await self._threads.run(self._cursors.take, name)
            if cursor is None:
                return
            means = DispatcherResources(
                self._threads, self._log, self._cursors, self._sender, self._retry
            )
            await Dispatcher(means, subscription, cursor).work(self._stopping)
            self._troubled.pop(name, None)
        except CursorLost:
            return
        except StoreError as error:
            pause = self._leave_alone(name, _STORE_PAUSE)
            _log.warning("cursor %s waits %.1f s for the store: %s", name, pause, error)
        except Exception:
            pause = self._leave_alone(name, _LONGEST_PAUSE)
            _log.exception("cursor %s failed, and is tried again in %.1f s", name, pause)

    def _leave_alone(self, name: str, longest: float) -> float:
        """Let a cursor be after a failure; return for how long."""
        trouble = self._troubled[name] = _Trouble.after(self._troubled.get(name), longest)
        return trouble.pause

    async def _tidy(self, strange: list[DeliveryCursor]) -> None:
        """Close the cursors whose subscriptions are gone, of those that were found for none."""
        now = time.time()
        for cursor in strange:
            if cursor.held_until > now or now - cursor.opened < _YOUNG_SECONDS:
                continue
            if await self._threads.run(self._subscriptions.is_gone, cursor.id):
                await self._threads.run(self._cursors.close, cursor.id)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _finish(self) -> None:
        if self._runs:
            await asyncio.wait(self._runs.values(), timeout=_STOP_SECONDS)
        for run in self._runs.values():
            run.cancel()
        if self._runs:
            await asyncio.wait(self._runs.values(), timeout=1)
        await self._sender.close()
        await self._threads.stop()
