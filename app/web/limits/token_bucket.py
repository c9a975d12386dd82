"""Token buckets: a client may save up some requests, and gets new ones at a steady rate."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from storage import Delete, Document, Store, UpdateContended, Write, every, json, update

BUCKETS = "limits/bucket"

_MOST_CLIENTS = 10_000
_SWEEP_EVERY = 512


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second, and so many at once after a pause."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """The requests a client had left at a time, in seconds since 1970."""

    left: float
    at: float

    def take(self, rate: Rate, now: float) -> tuple[Bucket, float]:
        """Return the bucket with one request less, and 0; or as it is, and the seconds to wait."""
        passed = max(0.0, now - self.at)
        left = min(float(rate.burst), self.left + passed * rate.per_second)
        if left >= 1:
            return Bucket(left - 1, now), 0.0
        return Bucket(left, now), (1 - left) / rate.per_second

    def is_full(self, rate: Rate, now: float) -> bool:
        """Whether the bucket has all its tokens, so that it need not be kept."""
        return self.left + (now - self.at) * rate.per_second >= rate.burst


class Buckets(Protocol):
    """The buckets of all clients."""

    def take(self, client: str, now: float) -> float:
        """Take a request from a client's bucket; return 0, or how many seconds it has to wait."""


class LocalBuckets:
    """Buckets in this process's memory; those that were not used for longest are forgotten."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, client: str, now: float) -> float:
        """See `Buckets.take`."""
        bucket = self._buckets.pop(client, None) or Bucket(self._rate.burst, now)
        self._buckets[client], wait = bucket.take(self._rate, now)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return wait


class SharedBuckets:
    """Buckets in the store, the same for every process on it.

    A request whose bucket other requests keep changing is let through rather than refused.
    """

    def __init__(self, rate: Rate, store: Store) -> None:
        self._rate = rate
        self._store = store
        self._made = 0

    def take(self, client: str, now: float) -> float:
        """See `Buckets.take`."""
        wait = 0.0

        def decide(present: Document | None) -> Write | None:
            nonlocal wait
            if present is None:
                self._sweep(now)
            before = _read(present.content) if present else Bucket(self._rate.burst, now)
            after, wait = before.take(self._rate, now)
            return None if wait else Write(_written(after))

        try:
            update(self._store, BUCKETS, client, decide)
        except UpdateContended:
            return 0.0
        return wait

    def _sweep(self, now: float) -> None:
        """Delete full buckets, once per `_SWEEP_EVERY` new clients."""
        self._made += 1
        if self._made % _SWEEP_EVERY:
            return

        def decide(present: Document | None) -> Delete | None:
            full = present is not None and _read(present.content).is_full(self._rate, now)
            return Delete() if full else None

        for document in every(self._store, BUCKETS):
            if _read(document.content).is_full(self._rate, now):
                update(self._store, BUCKETS, document.id, decide)


def _written(bucket: Bucket) -> bytes:
    return json.dumps({"left": bucket.left, "at": bucket.at})


def _read(content: bytes) -> Bucket:
    return Bucket(**json.loads(content))
