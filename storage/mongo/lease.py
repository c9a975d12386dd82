"""Leases: work that one process of many does at a time.

A holder counts up the `beat` of the lease's document while it works. Another process takes the
lease over when it has seen the same beat for some time of its own monotonic clock, so the clocks of
different machines are never compared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import uuid_utils
from pymongo import WriteConcern
from pymongo import errors as failures
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from storage.mongo.envelope import Bson

LEASES = "events.leases"


class Lease:
    """One lease, as one store sees it; safe to share between threads.

    The right to work is a matter of cost, not of correctness: for a moment two processes may
    believe that they hold a lease.
    """

    def __init__(
        self,
        database: Database[Bson],
        name: str,
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._collection: Collection[Bson] = database.get_collection(
            LEASES,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("local"),
            write_concern=WriteConcern(w=1),
        )
        self._name = name
        self._seconds = seconds
        self._clock = clock
        self._holder = uuid_utils.uuid4().hex
        self._lock = threading.Lock()
        self._renewed: float | None = None
        self._seen: tuple[str, int] | None = None
        self._seen_at = 0.0

    def acquire(self) -> bool:
        """Take or keep the lease; False when another process holds it."""
        with self._lock:
            now = self._clock()
            if self._renewed is not None:
                if now - self._renewed < self._seconds / 4:
                    return True
                self._renewed = now if self._renew() else None
                if self._renewed is not None:
                    return True
            if self._take(now):
                self._renewed = now
                return True
            return False

    def release(self) -> None:
        """Give the lease back, if it is held."""
        with self._lock:
            if self._renewed is not None:
                self._renewed = None
                self._collection.delete_one({"_id": self._name, "holder": self._holder})

    def _renew(self) -> bool:
        this = {"_id": self._name, "holder": self._holder}
        return self._collection.update_one(this, {"$inc": {"beat": 1}}).matched_count > 0

    def _take(self, now: float) -> bool:
        found = self._collection.find_one({"_id": self._name})
        if found is None:
            try:
                self._collection.insert_one({"_id": self._name, "holder": self._holder, "beat": 0})
            except failures.DuplicateKeyError:
                return False
            return True
        seen = (str(found["holder"]), int(found["beat"]))
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
            return False
        if now - self._seen_at < self._seconds:
            return False
        this = {"_id": self._name, "holder": seen[0], "beat": seen[1]}
        change = {"$set": {"holder": self._holder}, "$inc": {"beat": 1}}
        return self._collection.update_one(this, change).matched_count > 0
