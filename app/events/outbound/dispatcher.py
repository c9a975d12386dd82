"""One worker's stay on one cursor: the next events, and those that failed before.

Resources go side by side, the events of one resource one after the other. What fails waits and
holds back its resource alone. After a few failures in a row the cursor rests; when it goes on, one
event shows whether the listener is back, and the others follow when it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace

from app.events.outbound.delivery_cursors import (
    CursorLost,
    DeliveryCursor,
    DeliveryCursors,
    FailedDelivery,
)
from app.events.outbound.event_log import EventLogReader
from app.events.outbound.payloads import OutgoingEvent
from app.events.outbound.retry_policy import RetryPolicy
from app.events.outbound.store_executor import StoreExecutor
from app.events.outbound.subscriptions import Subscription
from app.events.outbound.webhook import DeliveryResult, WebhookSender
from storage import StoreError

_log = logging.getLogger(__name__)

_FAILURES_TO_REST = 3
_SECONDS_UNKEPT = 0.5
"""How long deliveries go on before the cursor's new position is stored: a crash repeats those."""
_LONG_DUE = 1.0
"""When what has no time of its own is due; 0 would say that nothing is."""


@dataclass(frozen=True, slots=True)
class DispatcherResources:
    """What a worker delivers with."""

    threads: StoreExecutor
    log: EventLogReader
    cursors: DeliveryCursors
    sender: WebhookSender
    retry: RetryPolicy


class Dispatcher:
    """The deliveries to one listener while a worker holds its cursor."""

    def __init__(
        self, means: DispatcherResources, subscription: Subscription, cursor: DeliveryCursor
    ) -> None:
        self._threads = means.threads
        self._log = means.log
        self._cursors = means.cursors
        self._sender = means.sender
        self._retry = means.retry
        self._subscription = subscription
        self._cursor = cursor
        self._probing = cursor.failures > 0
        self._slots = asyncio.Semaphore(1 if self._probing else self._retry.concurrency)
        self._failures_in_row = _FAILURES_TO_REST - 1 if self._probing else 0
        self._failed: dict[str, list[FailedDelivery]] = {}
        self._loaded = not cursor.retry_at
        self._keeping = asyncio.Lock()
        self._kept_at = time.monotonic()
        self._unkept = asyncio.Event()
        self._stop = False

    async def work(self, stopping: asyncio.Event) -> None:
        """Deliver until nothing is left to do now, then let the cursor go."""
        beat = asyncio.create_task(self._beat())
        try:
            if not self._loaded:
                await self._load_failed()
            while not (stopping.is_set() or self._stop):
                moved = await self._advance()
                tried = False if self._stop else await self._retry_due()
                if not (moved or tried):
                    break
        finally:
            beat.cancel()
            async with self._keeping:
                await self._threads.run(self._cursors.release, self._current())

    async def _load_failed(self) -> None:
        waiting = await self._threads.run(
            self._cursors.failed, cursor=self._cursor.id, state="waiting"
        )
        for each in waiting:
            self._failed.setdefault(each.resource, []).append(each)
        self._loaded = True

    def _current(self) -> DeliveryCursor:
        """Return the cursor as it is to be stored now."""
        if not self._loaded:
            return self._cursor
        due = [held[0].next for held in self._failed.values()]
        return replace(self._cursor, retry_at=max(min(due), _LONG_DUE) if due else 0.0)

    async def _beat(self) -> None:
        """Store where the cursor is, and hold it, while deliveries go on: the store may be busy."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._unkept.wait(), self._cursors.lease / 3)
            self._unkept.clear()
            try:
                await self._keep()
            except CursorLost:
                self._stop = True
                return
            except StoreError:
                continue

    async def _keep(self) -> None:
        async with self._keeping:
            await self._threads.run(self._cursors.keep, self._current())
            self._kept_at = time.monotonic()

    async def _advance(self) -> bool:
        """Deliver the next events of the log; return whether there were any."""
        entries = await self._log.after(self._cursor.position)
        if not entries:
            return False
        self._note_missed(entries[0].number - 1)
        chains: dict[str, list[tuple[int, OutgoingEvent]]] = defaultdict(list)
        for each in entries:
            for outgoing in self._subscription.events_of(each.record):
                resource = f"{each.record['collection']}/{each.record['id']}"
                chains[resource].append((each.number, outgoing))
        undone = await asyncio.gather(*(self._send(each, chain) for each, chain in chains.items()))
        first = min((number for number in undone if number is not None), default=None)
        done = entries[-1].number if first is None else first - 1
        self._cursor = replace(self._cursor, position=max(self._cursor.position, done))
        if time.monotonic() - self._kept_at > _SECONDS_UNKEPT:
            self._unkept.set()
        return True

    def _note_missed(self, gone: int) -> None:
        """Go on behind the events up to `gone`, which retention has removed from the log."""
        missed = gone - self._cursor.position
        if missed > 0:
            _log.warning("subscription %s missed %d events: not kept", self._cursor.id, missed)
            self._cursor = replace(self._cursor, position=gone, missed=self._cursor.missed + missed)

    async def _send(self, resource: str, chain: list[tuple[int, OutgoingEvent]]) -> int | None:
        """Send the events of one resource, one after the other; what cannot go now waits.

        Returns the number of the first that was not even tried, since the cursor is to rest.
        """
        for number, event in chain:
            if resource in self._failed:
                await self._hold_back(resource, number, event)
                continue
            async with self._slots:
                if self._stop:
                    return number
                result = await self._sender.send(self._subscription.callback, event)
            self._count(result)
            if not result.delivered:
                await self._hold_back(resource, number, event, result)
        return None

    async def _hold_back(
        self, resource: str, number: int, event: OutgoingEvent, result: DeliveryResult | None = None
    ) -> None:
        """Let an event wait: after an attempt that failed, or behind another of its resource."""
        held = self._failed.get(resource, [])
        failed = FailedDelivery(
            id=f"{self._cursor.id}/{event.id}",
            cursor=self._cursor.id,
            number=number,
            resource=resource,
            event=event.id,
            type=event.type,
            body=event.body,
            trace=event.trace,
        )
        if any(each.id == failed.id for each in held):
            return  # read again, since its worker died before the cursor's position was stored
        if result is not None:
            failed = self._after(failed, result)
        await self._threads.run(self._cursors.put, failed)
        if failed.state == "waiting":
            self._failed.setdefault(resource, []).append(failed)

    async def _retry_due(self) -> bool:
        """Try again what is due, the first of each resource; return whether there was any."""
        now = time.time()
        due = [resource for resource, held in self._failed.items() if held[0].next <= now]
        await asyncio.gather(*(self._retry_one(each) for each in due))
        return bool(due)

    async def _retry_one(self, resource: str) -> None:
        held = self._failed[resource]
        while held and held[0].next <= time.time() and not self._stop:
            first = held[0]
            event = OutgoingEvent(first.event, first.type, first.body, first.trace)
            async with self._slots:
                if self._stop:
                    return
                result = await self._sender.send(self._subscription.callback, event)
            self._count(result)
            if result.delivered:
                await self._threads.run(self._cursors.forget, first.id)
                held.pop(0)
                continue
            failed = self._after(first, result)
            await self._threads.run(self._cursors.put, failed)
            if failed.state == "waiting":
                held[0] = failed
                break
            held.pop(0)
        if not held:
            del self._failed[resource]

    def _after(self, failed: FailedDelivery, result: DeliveryResult) -> FailedDelivery:
        """Return a delivery after one more failure."""
        attempts = failed.attempts + 1
        parked = attempts >= self._retry.attempts
        wait = self._retry.wait(attempts, result.wait)
        return replace(
            failed,
            attempts=attempts,
            next=time.time() + wait,
            error=result.error,
            state="parked" if parked else "waiting",
        )

    def _count(self, result: DeliveryResult) -> None:
        """Note a success or failure of the listener; too many in a row, and the cursor rests."""
        if result.delivered:
            self._failures_in_row = 0
            if self._cursor.failures:
                self._cursor = replace(self._cursor, failures=0)
            if self._probing:
                self._open_slots()
            return
        self._failures_in_row += 1
        if self._stop:
            return
        if result.gone:
            self._suspend(result.error)
        elif self._failures_in_row >= _FAILURES_TO_REST or result.wait:
            self._rest(result)

    def _open_slots(self) -> None:
        """Send as many at once as usual: the listener is back."""
        self._probing = False
        for _ in range(self._retry.concurrency - 1):
            self._slots.release()

    def _rest(self, result: DeliveryResult) -> None:
        self._stop = True
        failures = self._cursor.failures + 1
        self._cursor = replace(self._cursor, failures=failures)
        if failures >= self._retry.attempts:
            self._suspend(f"nothing was delivered in {failures} rounds; {result.error}")
        else:
            wait = self._retry.wait(failures, result.wait)
            self._cursor = replace(self._cursor, rest_until=time.time() + wait)

    def _suspend(self, why: str) -> None:
        self._cursor = replace(self._cursor, suspended=why)
        self._stop = True
        _log.warning("subscription %s is suspended: %s", self._cursor.id, why)
