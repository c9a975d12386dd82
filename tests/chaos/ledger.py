"""The ledger: what was attempted, acknowledged and delivered, and whether the three agree.

Each resource has one writer, which numbers its changes: 0 is the creation, the others are patches,
`DELETION` comes last. A change whose answer did not arrive may have happened or not.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

DELETION = 1_000_000_000
BEFORE_SECONDS = 1.5
"""What a listener acknowledged so long before a disturbance may come again: progress is stored
twice a second, and this machine may be slow."""
AFTER_SECONDS = 3.0


@dataclass
class Resource:
    """The changes of one resource, by number, each with the time at which its request began."""

    attempted: dict[int, float] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)


@dataclass
class Delivery:
    """An event that a listener acknowledged."""

    resource: str
    number: int
    event: str
    at: float


class Ledger:
    """What happened, from all threads; times are of the monotonic clock."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}
        self.deliveries: dict[str, list[Delivery]] = {}
        self.since: dict[str, float] = {}
        self.disturbances: list[tuple[str, float, float]] = []
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def attempt(self, resource: str, number: int, begun: float) -> None:
        """Note a change whose request was sent."""
        with self._lock:
            self.resources.setdefault(resource, Resource()).attempted[number] = begun
            self.counts["attempted"] += 1

    def acknowledge(self, resource: str, number: int) -> None:
        """Note a change that was answered with success."""
        with self._lock:
            self.resources[resource].acknowledged.add(number)
            self.counts["acknowledged"] += 1

    def deliver(self, listener: str, resource: str, number: int, event: str) -> None:
        """Note an event that a listener acknowledges."""
        with self._lock:
            found = Delivery(resource, number, event, time.monotonic())
            self.deliveries.setdefault(listener, []).append(found)

    def subscribe(self, listener: str) -> None:
        """Note that a subscription was acknowledged just now."""
        self.since[listener] = time.monotonic()

    def disturb(self, kind: str, begun: float) -> None:
        """Note a disturbance that is over now."""
        with self._lock:
            self.disturbances.append((kind, begun, time.monotonic()))

    def problem(self, text: str) -> None:
        """Note that a promise was broken."""
        with self._lock:
            self.problems.append(text)

    def count(self, what: str) -> None:
        """Count something for the report."""
        with self._lock:
            self.counts[what] += 1

    def missing(self) -> int:
        """Return how many acknowledged changes have not reached their listeners yet."""
        with self._lock:
            return sum(len(self._missing(listener)) for listener in self.since)

    def check_stored(self, stored: dict[str, int]) -> None:
        """Compare what is stored at the end, the number of each resource's last change."""
        for id, resource in self.resources.items():
            last = max(resource.acknowledged, default=-1)
            possible = {each for each in resource.attempted if each >= last}
            found = stored.get(id)
            if found is None:
                # Never created as far as anybody knows, or deleted.
                if last >= 0 and DELETION not in resource.attempted:
                    self.problem(f"lost: {id} is gone, acknowledged up to {last}")
            elif DELETION in resource.acknowledged:
                self.problem(f"lost: the deletion of {id}")
            elif found not in possible:
                word = "lost" if found < last else "invented"
                self.problem(f"{word}: {id} is at {found}, acknowledged {last}")
        self.counts["created without an answer"] = len(stored.keys() - self.resources.keys())

    def check_deliveries(self) -> None:
        """Compare what each listener was sent."""
        for listener, deliveries in self.deliveries.items():
            for id, number in sorted(self._missing(listener)):
                self.problem(f"lost: event {number} of {id} for {listener}")
            self._check_each(listener, deliveries)

    def _missing(self, listener: str) -> set[tuple[str, int]]:
        since = self.since[listener]
        got = {(each.resource, each.number) for each in self.deliveries.get(listener, ())}
        return {
            (id, number)
            for id, resource in self.resources.items()
            for number in resource.acknowledged
            if resource.attempted[number] > since and (id, number) not in got
        }

    def _check_each(self, listener: str, deliveries: list[Delivery]) -> None:
        first: dict[str, Delivery] = {}
        highest: dict[str, int] = {}
        of_change: dict[tuple[str, int], str] = {}
        for each in deliveries:
            self.count("delivered")
            if each.event in first:
                self.count("repeated")
                if not self._is_excused(first[each.event].at):
                    self.problem(f"repeated: {each} for {listener}, no disturbance was near")
                continue
            first[each.event] = each
            known = self.resources.get(each.resource)
            if known is not None and each.number not in known.attempted:
                self.problem(f"invented: {each} for {listener}")
            change = (each.resource, each.number)
            if of_change.setdefault(change, each.event) != each.event:
                self.problem(f"invented: a second event of one change, {each} for {listener}")
            if each.number < highest.get(each.resource, -1):
                self.problem(f"out of order: {each} for {listener}")
            highest[each.resource] = max(each.number, highest.get(each.resource, -1))

    def _is_excused(self, at: float) -> bool:
        return any(
            begun - BEFORE_SECONDS <= at <= ended + AFTER_SECONDS
            for _, begun, ended in self.disturbances
        )

    def report(self) -> str:
        """Return the ledger in a few lines."""
        kinds = Counter(kind for kind, _, _ in self.disturbances)
        words = Counter(each.partition(":")[0] for each in self.problems)
        lines = [
            "disturbances: " + ", ".join(f"{number} {kind}" for kind, number in kinds.items()),
            *(f"{what}: {number}" for what, number in sorted(self.counts.items())),
            *(f"{word}: {words[word]}" for word in ("lost", "invented", "out of order")),
            f"repeated without a reason: {words['repeated']}",
            *(f"{word}: {words[word]}" for word in words if word not in _WORDS),
            *self.problems[:20],
        ]
        return "\n".join(lines)


_WORDS = ("lost", "invented", "out of order", "repeated")
