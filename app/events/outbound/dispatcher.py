"""One worker's stay on one lane: the next events, and those that failed before.

Resources go side by side, the events of one resource one after the other. What fails waits and
holds back its resource alone. After a few failures in a row the lane rests; when it goes on, one
event shows whether the listener is back, and the others follow when it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace

from app.events.outbound.delivery_cursors import Failed, Lane, LaneLost, Lanes
from app.events.outbound.event_log import Log
from app.events.outbound.payloads import OutgoingEvent
from app.events.outbound.retry_policy import Patience
from app.events.outbound.store_executor import StoreThreads
from app.events.outbound.subscriptions import Subscription
from app.events.outbound.webhook import Sender, Verdict
from storage import StoreError

_log = logging.getLogger(__name__)

_FAILURES_TO_REST = 3
_SECONDS_UNKEPT = 0.5
"""How long deliveries go on before the lane's new position is stored: a crash repeats those."""
_LONG_DUE = 1.0
"""When what has no time of its own is due; 0 would say that nothing is."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a worker delivers with."""

    threads: StoreThreads
    log: Log
    lanes: Lanes
    sender: Sender
    patience: Patience


class LaneRun:
    """The deliveries to one listener while a worker holds its lane."""

    def __init__(self, means: Means, subscription: Subscription, lane: Lane) -> None:
        self._threads = means.threads
        self._log = means.log
        self._lanes = means.lanes
        self._sender = means.sender
        self._patience = means.patience
        self._subscription = subscription
        self._lane = lane
        self._probing = lane.failures > 0
        self._slots = asyncio.Semaphore(1 if self._probing else self._patience.concurrency)
        self._failures_in_row = _FAILURES_TO_REST - 1 if self._probing else 0
        self._failed: dict[str, list[Failed]] = {}
        self._loaded = not lane.retry_at
        self._keeping = asyncio.Lock()
        self._kept_at = time.monotonic()
        self._unkept = asyncio.Event()
        self._stop = False

    async def work(self, stopping: asyncio.Event) -> None:
        """Deliver until nothing is left to do now, then let the lane go."""
        beat = asyncio.create_task(self._beat())
        try:
            if not self._loaded:
                await self._load_failed()
            while not (stopping.is_set() or self._stop):
                moved = await self._advance()
                tried = False if self._stop else await self._retry()
                if not (moved or tried):
                    break
        finally:
            beat.cancel()
            async with self._keeping:
                await self._threads.run(self._lanes.release, self._current())

    async def _load_failed(self) -> None:
        waiting = await self._threads.run(self._lanes.failed, lane=self._lane.id, state="waiting")
        for each in waiting:
            self._failed.setdefault(each.resource, []).append(each)
        self._loaded = True

    def _current(self) -> Lane:
        """Return the lane as it is to be stored now."""
        if not self._loaded:
            return self._lane
        due = [held[0].next for held in self._failed.values()]
        return replace(self._lane, retry_at=max(min(due), _LONG_DUE) if due else 0.0)

    async def _beat(self) -> None:
        """Store where the lane is, and hold it, while deliveries go on: the store may be busy."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._unkept.wait(), self._lanes.lease / 3)
            self._unkept.clear()
            try:
                await self._keep()
            except LaneLost:
                self._stop = True
                return
            except StoreError:
                continue

    async def _keep(self) -> None:
        async with self._keeping:
            await self._threads.run(self._lanes.keep, self._current())
            self._kept_at = time.monotonic()

    async def _advance(self) -> bool:
        """Deliver the next events of the log; return whether there were any."""
        entries = await self._log.after(self._lane.position)
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
        self._lane = replace(self._lane, position=max(self._lane.position, done))
        if time.monotonic() - self._kept_at > _SECONDS_UNKEPT:
            self._unkept.set()
        return True

    def _note_missed(self, gone: int) -> None:
        """Go on behind the events up to `gone`, which retention has removed from the log."""
        missed = gone - self._lane.position
        if missed > 0:
            _log.warning("subscription %s missed %d events: not kept", self._lane.id, missed)
            self._lane = replace(self._lane, position=gone, missed=self._lane.missed + missed)

    async def _send(self, resource: str, chain: list[tuple[int, OutgoingEvent]]) -> int | None:
        """Send the events of one resource, one after the other; what cannot go now waits.

        Returns the number of the first that was not even tried, since the lane is to rest.
        """
        for number, event in chain:
            if resource in self._failed:
                await self._hold_back(resource, number, event)
                continue
            async with self._slots:
                if self._stop:
                    return number
                verdict = await self._sender.send(self._subscription.callback, event)
            self._count(verdict)
            if not verdict.delivered:
                await self._hold_back(resource, number, event, verdict)
        return None

    async def _hold_back(
        self, resource: str, number: int, event: OutgoingEvent, verdict: Verdict | None = None
    ) -> None:
        """Let an event wait: after an attempt that failed, or behind another of its resource."""
        held = self._failed.get(resource, [])
        failed = Failed(
            id=f"{self._lane.id}/{event.id}",
            lane=self._lane.id,
            number=number,
            resource=resource,
            event=event.id,
            type=event.type,
            body=event.body,
            trace=event.trace,
        )
        if any(each.id == failed.id for each in held):
            return  # read again, since its worker died before the lane's position was stored
        if verdict is not None:
            failed = self._after(failed, verdict)
        await self._threads.run(self._lanes.put, failed)
        if failed.state == "waiting":
            self._failed.setdefault(resource, []).append(failed)

    async def _retry(self) -> bool:
        """Try again what is due, the first of each resource; return whether there was any."""
        now = time.time()
        due = [resource for resource, held in self._failed.items() if held[0].next <= now]
        await asyncio.gather(*(self._retry_resource(each) for each in due))
        return bool(due)

    async def _retry_resource(self, resource: str) -> None:
        held = self._failed[resource]
        while held and held[0].next <= time.time() and not self._stop:
            first = held[0]
            event = OutgoingEvent(first.event, first.type, first.body, first.trace)
            async with self._slots:
                if self._stop:
                    return
                verdict = await self._sender.send(self._subscription.callback, event)
            self._count(verdict)
            if verdict.delivered:
                await self._threads.run(self._lanes.forget, first.id)
                held.pop(0)
                continue
            failed = self._after(first, verdict)
            await self._threads.run(self._lanes.put, failed)
            if failed.state == "waiting":
                held[0] = failed
                break
            held.pop(0)
        if not held:
            del self._failed[resource]

    def _after(self, failed: Failed, verdict: Verdict) -> Failed:
        """Return a delivery after one more failure."""
        attempts = failed.attempts + 1
        parked = attempts >= self._patience.attempts
        wait = self._patience.wait(attempts, verdict.wait)
        return replace(
            failed,
            attempts=attempts,
            next=time.time() + wait,
            error=verdict.error,
            state="parked" if parked else "waiting",
        )

    def _count(self, verdict: Verdict) -> None:
        """Note a success or failure of the listener; too many in a row, and the lane rests."""
        if verdict.delivered:
            self._failures_in_row = 0
            if self._lane.failures:
                self._lane = replace(self._lane, failures=0)
            if self._probing:
                self._open_slots()
            return
        self._failures_in_row += 1
        if self._stop:
            return
        if verdict.gone:
            self._suspend(verdict.error)
        elif self._failures_in_row >= _FAILURES_TO_REST or verdict.wait:
            self._rest(verdict)

    def _open_slots(self) -> None:
        """Send as many at once as usual: the listener is back."""
        self._probing = False
        for _ in range(self._patience.concurrency - 1):
            self._slots.release()

    def _rest(self, verdict: Verdict) -> None:
        self._stop = True
        failures = self._lane.failures + 1
        self._lane = replace(self._lane, failures=failures)
        if failures >= self._patience.attempts:
            self._suspend(f"nothing was delivered in {failures} rounds; {verdict.error}")
        else:
            wait = self._patience.wait(failures, verdict.wait)
            self._lane = replace(self._lane, rest_until=time.time() + wait)

    def _suspend(self, why: str) -> None:
        self._lane = replace(self._lane, suspended=why)
        self._stop = True
        _log.warning("subscription %s is suspended: %s", self._lane.id, why)
