"""The delivery worker: runs a dispatcher for every subscription that has work.

Any number of workers may share a store: each takes the cursors that no other holds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from app.events.outbound import heartbeat
from app.events.outbound.delivery_cursors import (
    CursorLost,
    DeliveryCursor,
    DeliveryCursors,
    open_cursor,
)
from app.events.outbound.dispatcher import Dispatcher, DispatcherResources
from app.events.outbound.event_log import EventLogReader
from app.events.outbound.heartbeat import BEAT_SECONDS, Heartbeat
from app.events.outbound.retention import Retention, RetentionPolicy
from app.events.outbound.retry_policy import RetryPolicy
from app.events.outbound.store_executor import StoreExecutor
from app.events.outbound.subscriptions import Subscription, Subscriptions
from app.events.outbound.webhook import WebhookSender
from app.observability.delivery_reports import DeliveryReports
from storage import EventWatch, Store, StoreError

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
"""How often subscriptions and cursors are read again while the event log does not grow."""
_SETTLE_SECONDS = 0.02
"""The shortest time from one look at the log to the next where the store tells of events."""
_TIDY_SECONDS = 10.0
_STOP_MARGIN_SECONDS = 2.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
"""Pauses of a subscription whose dispatcher failed here: twice as long each time."""
_STORE_PAUSE = 1.0
"""The longest such pause when it was the store that failed: it returns for all of them."""
_YOUNG_SECONDS = 60.0
"""A cursor younger than this may belong to a subscription that is not in the store yet."""


@dataclass(frozen=True, slots=True)
class _Pause:
    """The pause of a subscription whose dispatcher failed; `until` is monotonic time."""

    seconds: float
    until: float

    @classmethod
    def after(cls, earlier: _Pause | None, longest: float) -> _Pause:
        """Return the pause after one more failure."""
        seconds = min(earlier.seconds * 2, longest) if earlier else _FIRST_PAUSE
        return cls(seconds, time.monotonic() + seconds)


class DeliveryWorker:
    """Delivers until it is stopped; one process may run one.

    `sender` makes the HTTP client, within the running event loop. `restarts` is how often the
    server has started this worker again.
    """

    def __init__(
        self,
        store: Store,
        subscriptions: Subscriptions,
        cursors: DeliveryCursors,
        sender: Callable[[], WebhookSender],
        retry: RetryPolicy,
        *,
        retention: RetentionPolicy | None = None,
        reports: DeliveryReports | None = None,
        restarts: int = 0,
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._cursors = cursors
        self._make_sender = sender
        self._retry = retry
        self._reports = reports or DeliveryReports()
        self._retention = Retention(
            store, retention or RetentionPolicy(), self._reports, clock=cursors.now
        )
        self._executor = StoreExecutor(store)
        self._log = EventLogReader(store, self._executor)
        self._stopping = asyncio.Event()
        self._written = asyncio.Event()
        self._watch: EventWatch | None = None
        self._dispatchers: dict[str, Dispatcher] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._pauses: dict[str, _Pause] = {}
        self._suspended: set[str] = set()
        self._paused: set[str] | None = None
        self._heartbeat = Heartbeat(cursors.holder, cursors.now(), cursors.now(), 0.0, restarts)
        self._beat_at = self._look_at = self._looked_at = self._tidied_at = 0.0
        self._last = -1

    def stop(self) -> None:
        """End `run` once the deliveries in flight are answered; called from the loop it runs in."""
        self._stopping.set()
        self._written.set()
        for dispatcher in self._dispatchers.values():
            dispatcher.wake()

    async def run(self) -> None:
        """Deliver until stopped; waits for a store that cannot be reached."""
        self._sender = self._make_sender()
        loop = asyncio.get_running_loop()
        self._watch = self._store.watch_events(lambda: loop.call_soon_threadsafe(self._written.set))
        try:
            while not self._stopping.is_set():
                self._written.clear()
                try:
                    await self._look()
                except StoreError as error:
                    _log.warning("delivery waits for the store: %s", error)
                    await self._sleep(_STORE_PAUSE)
                except Exception:
                    _log.exception("delivery failed, and continues")
                    await self._sleep(1.0)
                await self._wait_for_events()
        finally:
            if self._watch is not None:
                self._watch.close()
            await self._finish()

    async def _wait_for_events(self) -> None:
        """Wait until the store tells of events, or for as long as they may go unseen."""
        if self._watch is None or not self._watch.is_open or not self._look_at:
            await self._sleep(self._retry.poll_seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._written.wait(), _LOOK_SECONDS)
            await self._sleep(self._looked_at + _SETTLE_SECONDS - time.monotonic())

    async def _look(self) -> None:
        """Start a dispatcher for every cursor that is free and has work."""
        last = await self._executor.run(self._store.last_event)
        self._looked_at = time.monotonic()
        await self._beat()
        if last != self._log.last:
            self._log.last = last
            for dispatcher in self._dispatchers.values():
                dispatcher.wake()
        if last == self._last and time.monotonic() < self._look_at:
            return
        self._last, self._look_at = last, time.monotonic() + _LOOK_SECONDS
        wanted, cursors = await self._executor.run(self._read)
        now = self._cursors.now()
        for name, subscription in wanted.items():
            cursor = cursors.get(name)
            if cursor is None:  # its hub could not create one
                await self._executor.run(open_cursor, self._store, name, last)
            elif name in self._runs or self._is_paused(name):
                continue
            elif cursor.has_work(last, now) and self._cursors.is_free(cursor):
                self._start(name, subscription)
        for name in self._runs.keys() - wanted.keys():
            self._runs[name].cancel()
        for name in self._pauses.keys() - wanted.keys():
            del self._pauses[name]
        self._report_operators(cursors)
        if time.monotonic() - self._tidied_at > _TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            await self._tidy([cursor for name, cursor in cursors.items() if name not in wanted])
            await asyncio.to_thread(self._retention.prune, list(cursors.values()))

    def _read(self) -> tuple[dict[str, Subscription], dict[str, DeliveryCursor]]:
        return self._subscriptions.read(), {each.id: each for each in self._cursors.all()}

    async def _beat(self) -> None:
        if time.monotonic() < self._beat_at:
            return
        self._beat_at = time.monotonic() + BEAT_SECONDS
        worked_at = self._sender.sent_at or self._heartbeat.worked_at
        self._heartbeat = Heartbeat(
            self._heartbeat.id,
            self._heartbeat.started_at,
            self._cursors.now(),
            worked_at,
            self._heartbeat.restarts,
        )
        await self._executor.run(heartbeat.beat, self._store, self._heartbeat)

    def _report_operators(self, cursors: dict[str, DeliveryCursor]) -> None:
        """Report what operators have paused and resumed since the last look."""
        paused = {name for name, cursor in cursors.items() if cursor.paused}
        for name in paused - (paused if self._paused is None else self._paused):
            self._reports.paused(name, cursors[name].suspended)
        self._paused = paused
        suspended = {name for name, cursor in cursors.items() if cursor.suspended}
        for name in (self._suspended - suspended) & cursors.keys():
            self._reports.resumed(name)
        self._suspended = suspended

    def _is_paused(self, name: str) -> bool:
        pause = self._pauses.get(name)
        return pause is not None and time.monotonic() < pause.until

    def _start(self, name: str, subscription: Subscription) -> None:
        def ended(_: asyncio.Task[None]) -> None:
            del self._runs[name]
            self._dispatchers.pop(name, None)
            self._look_at = 0.0
            self._written.set()  # events that came as it ended are seen by the next look

        run = asyncio.create_task(self._dispatch(name, subscription))
        self._runs[name] = run
        run.add_done_callback(ended)

    async def _dispatch(self, name: str, subscription: Subscription) -> None:
        """Deliver to one subscription while there is something to do."""
        try:
            taken = await self._executor.run(self._cursors.take, name)
            if taken is None:
                return
            resources = DispatcherResources(
                self._executor,
                self._log,
                self._cursors,
                self._sender,
                self._retry,
                self._reports,
                self._stopping,
            )
            dispatcher = Dispatcher(resources, subscription, *taken)
            self._dispatchers[name] = dispatcher
            await dispatcher.run()
            self._pauses.pop(name, None)
        except CursorLost:
            return
        except StoreError as error:
            seconds = self._pause(name, _STORE_PAUSE)
            _log.warning("subscription %s waits %.1f s for the store: %s", name, seconds, error)
        except Exception:
            seconds = self._pause(name, _LONGEST_PAUSE)
            _log.exception("subscription %s failed, and is tried again in %.1f s", name, seconds)

    def _pause(self, name: str, longest: float) -> float:
        """Pause a subscription after a failure; return for how many seconds."""
        pause = self._pauses[name] = _Pause.after(self._pauses.get(name), longest)
        return pause.seconds

    async def _tidy(self, unknown: list[DeliveryCursor]) -> None:
        """Remove the cursors of subscriptions that were removed, among those of unknown ones."""
        for cursor in unknown:
            if self._cursors.is_held(cursor) or self._is_young(cursor):
                continue
            if await self._executor.run(self._subscriptions.is_gone, cursor.id):
                await self._executor.run(self._cursors.close, cursor.id)

    def _is_young(self, cursor: DeliveryCursor) -> bool:
        """Whether a cursor was created a moment ago, as far as the clocks agree."""
        return 0 <= self._cursors.now() - cursor.opened < _YOUNG_SECONDS

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _finish(self) -> None:
        """Wait for the deliveries in flight, which are answered or time out."""
        self.stop()
        if self._runs:
            timeout = self._retry.timeout + _STOP_MARGIN_SECONDS
            await asyncio.wait(self._runs.values(), timeout=timeout)
        for run in self._runs.values():
            run.cancel()
        if self._runs:
            await asyncio.wait(self._runs.values(), timeout=1)
        await self._sender.close()
        try:
            await self._executor.run(heartbeat.end, self._store, self._heartbeat.id)
        except StoreError as error:
            _log.warning("the heartbeat could not be removed: %s", error)
        await self._executor.stop()
