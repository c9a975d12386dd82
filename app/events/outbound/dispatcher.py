"""The dispatcher: delivers to one subscription while a worker holds its delivery cursor.

Events about different resources are sent side by side, those about one resource one after the
other. A delivery that failed holds back later events about its resource and no others. An event
that the listener refuses (4xx) is parked after its attempts. A listener that is absent (it cannot
be reached, times out, or answers 429 or 5xx) lets the subscription rest; when the rest is over, one
event is sent to find out whether the listener is back.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import insort
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace

from app.events.outbound.delivery_cursors import (
    CursorLost,
    DeliveryCursor,
    DeliveryCursors,
    Ranges,
    is_due,
)
from app.events.outbound.event_log import EventLogReader
from app.events.outbound.failed_deliveries import FailedDelivery
from app.events.outbound.last_attempts import LastAttempts
from app.events.outbound.payloads import OutgoingEvent
from app.events.outbound.progress import Progress
from app.events.outbound.retry_policy import RetryPolicy
from app.events.outbound.store_executor import StoreExecutor
from app.events.outbound.subscriptions import Subscription
from app.events.outbound.webhook import DeliveryResult, WebhookSender
from app.observability.delivery_reports import DeliveryReports
from storage import StoreError

_log = logging.getLogger(__name__)

_FAILURES_TO_REST = 3
_STORE_SECONDS = 0.25
"""How long an acknowledgement may stay unstored: a crash repeats those deliveries."""
_DUE_NOW = 1.0
"""Retry time for entries without a schedule; 0 would say that there are none."""
_WINDOW = 4096
_WINDOW_BYTES = 16 * 1024 * 1024
"""Most unfinished events that are read ahead, and most bytes of them."""
_LONGEST_AHEAD = 32 * _WINDOW
"""Most events between the position and the last one that was read, finished or not."""
_HOT = _WINDOW // 4
"""So many queued events about one resource make room for others when the window is full."""


@dataclass(frozen=True, slots=True)
class DispatcherResources:
    """What all dispatchers of a worker share."""

    executor: StoreExecutor
    log: EventLogReader
    cursors: DeliveryCursors
    sender: WebhookSender
    retry: RetryPolicy
    reports: DeliveryReports
    stopping: asyncio.Event


@dataclass(frozen=True, slots=True)
class _Queued:
    """An event of the log, as what the listener receives for it; `size` is in bytes."""

    number: int
    events: tuple[OutgoingEvent, ...]
    size: int


class Dispatcher:
    """The deliveries to one listener while a worker holds its cursor."""

    def __init__(
        self,
        resources: DispatcherResources,
        subscription: Subscription,
        cursor: DeliveryCursor,
        acknowledged: Ranges = (),
    ) -> None:
        self._executor = resources.executor
        self._log = resources.log
        self._cursors = resources.cursors
        self._sender = resources.sender
        self._retry = resources.retry
        self._reports = resources.reports
        self._stopping = resources.stopping
        self._subscription = subscription
        self._cursor = cursor
        self._progress = Progress(cursor.position, acknowledged)
        self._probing = cursor.failures > 0
        self._slots = asyncio.Semaphore(1 if self._probing else self._retry.concurrency)
        self._failures_in_row = _FAILURES_TO_REST - 1 if self._probing else 0
        self._attempts = self._stored_attempts = LastAttempts()
        self._queues: dict[str, deque[_Queued]] = {}
        self._queued_bytes = 0
        self._failed: dict[str, list[FailedDelivery]] = {}
        self._failed_loaded = not cursor.retry_at
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._error: BaseException | None = None
        self._halted = False
        self._released = False
        self._wake = asyncio.Event()
        self._unstored = asyncio.Event()
        self._storing = asyncio.Lock()

    def wake(self) -> None:
        """Look for new events, or for a reason to stop, at once."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until nothing is left to do now, then release the cursor.

        Raises:
            StoreError: the store failed; what was acknowledged before may be sent again.
        """
        keeper = asyncio.create_task(self._keep_stored())
        try:
            if not self._failed_loaded:
                await self._load_failed()
            while not self._stopped():
                self._wake.clear()
                if await self._read():
                    continue
                self._start_tasks()
                if not self._tasks:
                    break
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._seconds_to_next_retry())
            if self._tasks:  # what is being sent now is awaited, and what is queued stays
                await asyncio.wait(self._tasks.values())
            if self._error is not None:
                raise self._error
        finally:
            for task in self._tasks.values():
                task.cancel()
            async with self._storing:
                # Before Python 3.12 `wait_for` may swallow a cancellation, hence the flag.
                self._released = True
                keeper.cancel()
                current, acknowledged = self._state()
                await self._executor.run(self._cursors.release, current, acknowledged)
                await self._store_attempts()

    def _stopped(self) -> bool:
        """Whether nothing new may be sent."""
        return self._halted or self._error is not None or self._stopping.is_set()

    async def _load_failed(self) -> None:
        waiting = await self._executor.run(
            self._cursors.failed, cursor=self._cursor.id, state="waiting"
        )
        for each in waiting:
            self._failed.setdefault(each.resource, []).append(each)
        self._failed_loaded = True

    def _state(self) -> tuple[DeliveryCursor, Ranges]:
        """Return the cursor as it is to be stored now, and what was acknowledged beyond it."""
        cursor = replace(self._cursor, position=self._progress.position)
        if self._failed_loaded:
            due = [held[0].next for held in self._failed.values() if held]
            cursor = replace(cursor, retry_at=max(min(due), _DUE_NOW) if due else 0.0)
        return cursor, self._progress.acknowledged()

    async def _keep_stored(self) -> None:
        """Store the progress and renew the lease while deliveries go on."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._unstored.wait(), self._cursors.lease / 3)
                await asyncio.sleep(_STORE_SECONDS)
            self._unstored.clear()
            try:
                async with self._storing:
                    if self._released:
                        return
                    await self._executor.run(self._cursors.keep, *self._state())
                    await self._store_attempts()
            except CursorLost:
                self._halt()
                return
            except StoreError:
                continue

    async def _store_attempts(self) -> None:
        attempts = self._attempts
        if attempts != self._stored_attempts:
            await self._executor.run(self._cursors.note_attempts, self._cursor.id, attempts)
            self._stored_attempts = attempts

    def _halt(self) -> None:
        self._halted = True
        self._wake.set()

    async def _read(self) -> bool:
        """Queue the next events of the log; return whether there were any."""
        if self._progress.ahead >= _LONGEST_AHEAD:
            return False
        if self._progress.unfinished >= _WINDOW or self._queued_bytes >= _WINDOW_BYTES:
            return await self._make_room()
        if self._tasks and self._progress.read_to >= self._log.last:
            return False
        entries = await self._log.after(self._progress.read_to)
        if entries:
            self._note_missed(entries[0].number - 1)
        for entry in entries:
            self._progress.begin(entry.number)
            if self._progress.is_acknowledged(entry.number):
                events: tuple[OutgoingEvent, ...] = ()
            else:
                events = tuple(self._subscription.events_of(entry.record))
            if not events:
                self._finish(entry.number)
                continue
            resource = f"{entry.record['collection']}/{entry.record['id']}"
            queue = self._queues.setdefault(resource, deque())
            queue.append(_Queued(entry.number, events, entry.size))
            self._queued_bytes += entry.size
        return bool(entries)

    def _note_missed(self, gone: int) -> None:
        """Continue behind the events up to `gone`, which retention has removed from the log."""
        missed = gone - self._progress.read_to
        if missed > 0 and not self._progress.ahead:
            self._reports.missed(self._cursor.id, missed)
            self._cursor = replace(self._cursor, missed=self._cursor.missed + missed)
            self._progress.skip_to(gone)

    async def _make_room(self) -> bool:
        """Store the queue of a hot resource as waiting deliveries; return whether there is one.

        Else the events of other resources would wait behind it once the window is full. It is hot
        as well when so few resources fill the window that not all slots are used.
        """
        resource = max(self._queues, key=lambda each: len(self._queues[each]))
        queue = self._queues[resource]
        few = len(self._queues) < self._retry.concurrency and self._queued_bytes < _WINDOW_BYTES
        if len(queue) < (2 if few else _HOT):
            return False
        moved = [queue.pop() for _ in range(len(queue) - 1)]  # the first one may be on its way
        held: list[FailedDelivery] = []
        for queued in reversed(moved):
            for event in queued.events:
                held.append(self._failed_delivery(resource, queued.number, event))
                await self._executor.run(self._cursors.put, held[-1])
        for failed in held:
            self._hold(failed)
        for queued in moved:
            self._queued_bytes -= queued.size
            self._finish(queued.number)
        return True

    def _finish(self, number: int) -> None:
        self._progress.finish(number)
        self._unstored.set()

    def _start_tasks(self) -> None:
        """Start work on every resource that has something to send; new events go first."""
        now = self._cursors.now()
        due = [name for name, held in self._failed.items() if is_due(held[0].next, now)]
        for resource in dict.fromkeys([*self._queues, *due]):
            if resource not in self._tasks:
                self._tasks[resource] = task = asyncio.create_task(self._work(resource))
                task.add_done_callback(lambda done, name=resource: self._ended(name, done))  # type: ignore[misc]

    def _ended(self, resource: str, task: asyncio.Task[None]) -> None:
        del self._tasks[resource]
        if not task.cancelled() and task.exception() is not None:
            self._error = self._error or task.exception()
        self._wake.set()

    def _seconds_to_next_retry(self) -> float | None:
        due = [held[0].next for name, held in self._failed.items() if name not in self._tasks]
        return max(0.0, min(due) - self._cursors.now()) if due else None

    async def _work(self, resource: str) -> None:
        """Send what there is about one resource, in order."""
        while not self._stopped():
            held = self._failed.get(resource, [])
            queue = self._queues.get(resource)
            due = bool(held) and is_due(held[0].next, self._cursors.now())
            if due and not (queue and queue[0].number < held[0].number):
                await self._send_again(resource, held)
            elif queue:
                if not await self._send(resource, queue[0]):
                    return
                self._queued_bytes -= queue.popleft().size
                if not queue:
                    del self._queues[resource]
            else:
                return

    async def _send(self, resource: str, queued: _Queued) -> bool:
        """Send an event of the log; return whether it is finished.

        An event that the contract renders as several is sent whole once it was begun.
        """
        for index, event in enumerate(queued.events):
            result, held = None, self._failed.get(resource)
            if not held or held[0].number > queued.number:
                result = await self._attempt(event, begun=index > 0)
                if result is None:
                    return False
                if result.delivered:
                    continue
            failed = self._failed_delivery(resource, queued.number, event)
            if result is not None:
                failed = self._after(failed, result)
            if any(each.id == failed.id for each in self._failed.get(resource, ())):
                continue  # a worker stored it, and died before it stored its position
            await self._executor.run(self._cursors.put, failed)
            if failed.state == "waiting":
                self._hold(failed)
        self._finish(queued.number)
        return True

    async def _send_again(self, resource: str, held: list[FailedDelivery]) -> None:
        """Send the first of the failed deliveries about a resource."""
        first = held[0]
        event = OutgoingEvent(first.event, first.type, first.body, first.trace)
        result = await self._attempt(event)
        if result is None:
            return
        if result.delivered:
            await self._executor.run(self._cursors.forget, first.id)
            held.remove(first)
        else:
            failed = self._after(first, result)
            await self._executor.run(self._cursors.put, failed)
            held.remove(first)
            if failed.state == "waiting":
                held.insert(0, failed)
        if not held:
            del self._failed[resource]

    async def _attempt(self, event: OutgoingEvent, *, begun: bool = False) -> DeliveryResult | None:
        """Send an event once a slot is free; None when nothing new may be sent any more."""
        async with self._slots:
            await self._sender.turn()
            if self._stopped() and not begun:
                return None
            result = await self._sender.send(self._subscription.callback, event)
        self._note(result)
        if not result.delivered:
            self._reports.failed(self._cursor.id, event.type, event.id, result.error)
        return result

    def _failed_delivery(self, resource: str, number: int, event: OutgoingEvent) -> FailedDelivery:
        return FailedDelivery(
            id=f"{self._cursor.id}/{event.id}",
            cursor=self._cursor.id,
            number=number,
            resource=resource,
            event=event.id,
            type=event.type,
            body=event.body,
            trace=event.trace,
        )

    def _hold(self, failed: FailedDelivery) -> None:
        """Let a delivery wait, in the order of the log."""
        insort(self._failed.setdefault(failed.resource, []), failed, key=lambda each: each.number)

    def _after(self, failed: FailedDelivery, result: DeliveryResult) -> FailedDelivery:
        """Return a delivery after one more failure.

        An attempt counts unless the listener is absent, which is no fault of the event's.
        """
        absent = not result.refused and (self._probing or self._halted)
        attempts = failed.attempts + (0 if absent else 1)
        parked = attempts >= self._retry.attempts
        if parked:
            self._reports.parked(failed.cursor, failed.type, failed.event, result.error)
        return replace(
            failed,
            attempts=attempts,
            next=self._cursors.now() + self._retry.wait(max(attempts, 1), result.wait),
            error=result.error,
            state="parked" if parked else "waiting",
        )

    def _note(self, result: DeliveryResult) -> None:
        """Note whether the listener is present; several failures in a row let it rest."""
        now = self._cursors.now()
        if result.delivered:
            self._attempts = replace(self._attempts, succeeded_at=now)
        else:
            self._attempts = replace(self._attempts, failed_at=now, error=result.error)
        if result.delivered or result.refused:
            self._failures_in_row = 0
            if self._cursor.failures and not self._halted:
                self._reports.recovered(self._cursor.id, self._cursor.failures)
                self._cursor = replace(self._cursor, failures=0)
            if self._probing:
                self._probing = False
                for _ in range(self._retry.concurrency - 1):
                    self._slots.release()
            return
        self._failures_in_row += 1
        if self._halted:
            return
        if result.gone:
            self._suspend(result.error)
        elif self._failures_in_row >= _FAILURES_TO_REST or result.wait:
            self._rest(result)

    def _rest(self, result: DeliveryResult) -> None:
        failures = self._cursor.failures + 1
        self._cursor = replace(self._cursor, failures=failures)
        if failures >= self._retry.attempts:
            self._suspend(f"nothing was delivered in {failures} rounds; {result.error}")
            return
        until = self._cursors.now() + self._retry.wait(failures, result.wait)
        self._cursor = replace(self._cursor, rest_until=until)
        self._halt()

    def _suspend(self, reason: str) -> None:
        self._cursor = replace(self._cursor, suspended=reason)
        self._reports.suspended(self._cursor.id, reason)
        self._halt()
