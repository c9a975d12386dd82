"""One worker's stay on one lane: the next events, and those that failed before."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from dataclasses import dataclass, replace

from app.delivery.events import OutgoingEvent
from app.delivery.lanes import Failed, Lane, LaneLost, Lanes
from app.delivery.sender import Sender, Verdict
from app.delivery.subscriptions import Subscription
from storage import Store, StoreError, json

_log = logging.getLogger(__name__)

_BATCH = 256
_FAILURES_TO_REST = 3
_LONGEST_REST = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How deliveries are tried: attempts, and seconds before the first repetition.

    The wait before the n-th repetition is random, up to `first_wait` times 4 to the n ("full
    jitter"), twelve hours at most: with a minute, eight attempts take about a day.
    """

    attempts: int = 8
    first_wait: float = 60.0
    concurrency: int = 16
    poll_seconds: float = 0.1
    retention_hours: float = 72.0

    def wait(self, failures: int, asked: float) -> float:
        """Return how long to wait after so many failures; never less than the listener asks."""
        longest = min(self.first_wait * 4.0 ** min(failures - 1, 10), _LONGEST_REST)
        return max(asked, random.uniform(0, longest))  # noqa: S311 - nothing secret


@dataclass(frozen=True, slots=True)
class Means:
    """What a worker delivers with."""

    store: Store
    lanes: Lanes
    sender: Sender
    patience: Patience


class LaneRun:
    """The deliveries to one listener while a worker holds its lane."""

    def __init__(self, means: Means, subscription: Subscription, lane: Lane) -> None:
        self._lanes = means.lanes
        self._store = means.store
        self._sender = means.sender
        self._patience = means.patience
        self._subscription = subscription
        self._lane = lane
        # A listener that has failed gets one event to show that it is back.
        probing = lane.failures > 0
        self._slots = asyncio.Semaphore(1 if probing else self._patience.concurrency)
        self._row = _FAILURES_TO_REST - 1 if probing else 0
        self._failed: dict[str, list[Failed]] = {}
        self._keeping = asyncio.Lock()
        self._stop = False

    async def work(self, stopping: asyncio.Event) -> None:
        """Deliver until nothing is left to do now, then let the lane go."""
        waiting = await asyncio.to_thread(self._lanes.failed, lane=self._lane.id, state="waiting")
        for each in waiting:
            self._failed.setdefault(each.resource, []).append(each)
        beat = asyncio.create_task(self._beat())
        try:
            while not (stopping.is_set() or self._stop):
                tried = await self._retry()
                moved = False if self._stop else await self._advance()
                if not (tried or moved):
                    break
        finally:
            beat.cancel()
            soonest = min((held[0].next for held in self._failed.values()), default=0.0)
            async with self._keeping:
                self._lane = replace(self._lane, retry_at=soonest)
                await asyncio.to_thread(self._lanes.release, self._lane)

    async def _beat(self) -> None:
        """Hold the lane while a batch takes its time."""
        while True:
            await asyncio.sleep(self._lanes.lease / 3)
            try:
                await self._keep()
            except LaneLost:
                self._stop = True
                return
            except StoreError:
                continue

    async def _keep(self) -> None:
        async with self._keeping:
            lane = self._lane
            await asyncio.to_thread(self._lanes.keep, lane)

    async def _advance(self) -> bool:
        """Deliver the next events of the log; return whether there were any."""
        events = await asyncio.to_thread(self._store.events, self._lane.position, _BATCH)
        if not events:
            return False
        chains: dict[str, list[tuple[int, OutgoingEvent]]] = defaultdict(list)
        for event in events:
            record = json.loads(event.content)
            for outgoing in self._subscription.events_of(record):
                chains[f"{record['collection']}/{record['id']}"].append((event.number, outgoing))
        undone = await asyncio.gather(*(self._send(each, chain) for each, chain in chains.items()))
        first = min((number for number in undone if number is not None), default=None)
        done = events[-1].number if first is None else first - 1
        self._lane = replace(self._lane, position=max(self._lane.position, done))
        await self._keep()
        return True

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
        if verdict is not None:
            failed = self._after(failed, verdict)
        await asyncio.to_thread(self._lanes.put, failed)
        if failed.state == "waiting":
            held = self._failed.setdefault(resource, [])
            if all(each.id != failed.id for each in held):
                held.append(failed)

    async def _retry(self) -> bool:
        """Try again what is due, the first of each resource; return whether there was any."""
        now = time.time()
        due = [resource for resource, held in self._failed.items() if held[0].next <= now]
        await asyncio.gather(*(self._retry_resource(each) for each in due))
        if due:
            await self._keep()
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
                await asyncio.to_thread(self._lanes.forget, first.id)
                held.pop(0)
                continue
            failed = self._after(first, verdict)
            await asyncio.to_thread(self._lanes.put, failed)
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
            self._row = 0
            if self._lane.failures:
                self._lane = replace(self._lane, failures=0)
            return
        self._row += 1
        if self._stop:
            return
        if verdict.gone:
            self._suspend(verdict.error)
        elif self._row >= _FAILURES_TO_REST or verdict.wait:
            self._rest(verdict)

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
