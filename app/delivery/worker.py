"""The delivery worker: from the log to every listener, in order for each resource.

For each subscription there is a lane. A worker takes the lanes that no other worker holds, reads
the log from where a lane stands, and sends what the listener wants: resources side by side, the
events of one resource one after the other. What fails waits and holds back its resource alone. A
listener that fails again and again is left in peace for longer and longer, and its lane does not
move: what it missed stays in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.delivery.lane_run import LaneRun, Means, Patience
from app.delivery.lanes import LaneLost, Lanes, open_lane
from app.delivery.sender import Sender
from app.delivery.subscriptions import Subscription, Subscriptions
from storage import Store, StoreError

_log = logging.getLogger(__name__)

_FORGET_SECONDS = 60.0
_YOUNG_SECONDS = 60.0
"""A lane is younger than this when its subscription may still be on its way into the store."""


class Worker:
    """Delivers until it is stopped; one process may run one."""

    def __init__(
        self,
        store: Store,
        subscriptions: Subscriptions,
        lanes: Lanes,
        sender: Callable[[], Sender],
        patience: Patience,
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._lanes = lanes
        self._make_sender = sender
        self._patience = patience
        self._stopping = asyncio.Event()
        self._working: dict[str, asyncio.Task[None]] = {}
        self._forgotten = 0.0

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
                    await self._pause(1.0)
                await self._pause(self._patience.poll_seconds)
        finally:
            await self._finish()

    async def _look(self) -> None:
        """Start work on every lane that is free and has some."""
        wanted = await asyncio.to_thread(self._subscriptions.read)
        last = await asyncio.to_thread(self._store.last_event)
        lanes = {each.id: each for each in await asyncio.to_thread(lambda: list(self._lanes.all()))}
        now = time.time()
        for name, subscription in wanted.items():
            lane = lanes.get(name)
            if lane is None:  # its hub could not begin one
                await asyncio.to_thread(open_lane, self._store, name, last)
            elif lane.is_free(self._lanes.holder, now) and lane.has_work(last, now):
                task = self._working.get(name)
                if task is None or task.done():
                    self._working[name] = asyncio.create_task(self._serve(name, subscription))
        for lane in lanes.values():
            young = now - lane.opened < _YOUNG_SECONDS
            if lane.id not in wanted and lane.held_until < now and not young:
                await asyncio.to_thread(self._lanes.close, lane.id)
        await self._forget()

    async def _forget(self) -> None:
        if time.monotonic() - self._forgotten > _FORGET_SECONDS:
            self._forgotten = time.monotonic()
            before = datetime.now(UTC) - timedelta(hours=self._patience.retention_hours)
            await asyncio.to_thread(self._store.forget_events, before)

    async def _serve(self, name: str, subscription: Subscription) -> None:
        """Work on one lane while there is something to do."""
        try:
            lane = await asyncio.to_thread(self._lanes.take, name)
            if lane is None:
                return
            means = Means(self._store, self._lanes, self._sender, self._patience)
            await LaneRun(means, subscription, lane).work(self._stopping)
        except LaneLost:
            return
        except StoreError as error:
            _log.warning("lane %s waits for the store: %s", name, error)
        except Exception:
            _log.exception("lane %s failed", name)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _finish(self) -> None:
        tasks = [task for task in self._working.values() if not task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        for task in tasks:
            task.cancel()
        await self._sender.close()
