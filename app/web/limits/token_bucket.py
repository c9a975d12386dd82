"""Token buckets: a client may save up some requests, and gets new ones at a steady rate."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from storage import DocumentExists, DocumentNotFound, Store, VersionConflict, every, json

BUCKETS = "limits/bucket"

_MOST_CLIENTS = 10_000
_ATTEMPTS = 5
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
        """Whether nothing would be lost if it were forgotten."""
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

    Two requests at the same moment try again; when that goes on and on the client passes, since a
    limit is worth less than an answer.
    """

    def __init__(self, rate: Rate, store: Store) -> None:
        self._rate = rate
        self._store = store
        self._made = 0

    def take(self, client: str, now: float) -> float:
        """See `Buckets.take`."""
        for _ in range(_ATTEMPTS):
            try:
                return self._take(client, now)
            except (DocumentExists, DocumentNotFound, VersionConflict):
                continue
        return 0.0

    def _take(self, client: str, now: float) -> float:
        try:
            document = self._store.get(BUCKETS, client)
        except DocumentNotFound:
            self._sweep(now)
            bucket, wait = Bucket(self._rate.burst, now).take(self._rate, now)
            self._store.insert(BUCKETS, client, _written(bucket))
            return wait
        bucket, wait = _read(document.content).take(self._rate, now)
        if not wait:
            self._store.replace(BUCKETS, client, _written(bucket), version=document.version)
        return wait

    def _sweep(self, now: float) -> None:
        """Forget full buckets, once in a while."""
        self._made += 1
        if self._made % _SWEEP_EVERY:
            return
        for document in every(self._store, BUCKETS):
            if _read(document.content).is_full(self._rate, now):
                self._store.delete(BUCKETS, document.id, version=document.version)


def _written(bucket: Bucket) -> bytes:
    return json.dumps({"left": bucket.left, "at": bucket.at})


def _read(content: bytes) -> Bucket:
    return Bucket(**json.loads(content))
