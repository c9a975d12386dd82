"""The event log on MongoDB.

A write stores its events in the envelope of its document, so that both are one atomic change; the
envelope of a deleted document stays as a tombstone until its events are logged. From there they are
moved into the log, a collection whose `_id`s are consecutive numbers: an event is inserted as the
next number after the last one, so whoever has read up to a number has missed none. Several
processes may move at once without harm, since each event has a unique key; a lease leaves the work
to one of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pymongo
import uuid_utils
from pymongo import WriteConcern
from pymongo import errors as failures
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from storage.errors import StoreError
from storage.mongo import indexes
from storage.mongo.envelope import DELETED, EVENTS, PENDING, Bson
from storage.mongo.event_readers import Readers
from storage.mongo.lease import Lease
from storage.port import Event

LOG = "events.log"

WITHOUT_EVENTS = ("events.", "limits.", "server.")
"""How collections are named that this server keeps for itself, and that cause no events."""

MOVED_AT_ONCE = 500
"""How many envelopes one round of moving reads."""

_MOST_HALVINGS = 9
_PRUNED_AT_ONCE = 10_000
_MOVER_SECONDS = 2.0
_PRUNER_SECONDS = 60.0
_WAIT_SECONDS = 1.0
"""How long to wait for another process to move events that this one has seen waiting."""

KEY_INDEX = pymongo.IndexModel([("k", 1)], name="key", unique=True)
"""The index of the log that keeps an event from being logged twice."""

TIME_INDEX = pymongo.IndexModel([("t", 1)], name="time")
"""The index of the log that pruning uses."""

INDEXES = (KEY_INDEX, TIME_INDEX)

_TAKEN = 11000
"""MongoDB's code for a key that exists."""


def pending(events: Sequence[bytes], version: int) -> Bson:
    """Return what a write adds to an envelope for the events it causes.

    Their keys sort by the version that the write makes: clocks of different machines may differ.
    """
    if not events:
        return {}
    keys = (f"{EVENTS}.{version:016x}{uuid_utils.uuid7().hex}" for _ in events)
    return {PENDING: True, **{key: each.decode() for key, each in zip(keys, events, strict=True)}}


def nested(additions: Bson) -> Bson:
    """Return the additions for an envelope that is inserted whole, dots as objects."""
    inserted: Bson = {}
    for name, value in additions.items():
        parent, dot, key = name.partition(".")
        if dot:
            inserted.setdefault(parent, {})[key] = value
        else:
            inserted[name] = value
    return inserted


Pinned = TypeVar("Pinned", Collection[Bson], Database[Bson])


def pinned(collection: Pinned) -> Pinned:
    """Return what reads on the primary and as a majority has it, whatever the URL says.

    Events that a failover may still take back must not be logged, and a stale read would find
    events waiting that have long been moved.
    """
    return collection.with_options(
        read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
    )


class EventLog:
    """The events of one database.

    `readers` says of a collection who reads its events; without an entry they are always logged.
    """

    def __init__(self, database: Database[Bson], milliseconds: int) -> None:
        self._log: Collection[Bson] = database.get_collection(
            LOG,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("local"),  # the next number is free as of now, or it is not
            write_concern=WriteConcern(w="majority", j=True, wtimeout=max(milliseconds, 10_000)),
        )
        self._committed = pinned(self._log)
        self._milliseconds = milliseconds
        self._mover = Lease(database, "mover", seconds=_MOVER_SECONDS)
        self._pruner = Lease(database, "pruner", seconds=_PRUNER_SECONDS)
        self._moving = threading.Lock()
        self._halvings = 0
        """How often a round was halved because the database did not finish one in time."""
        self.readers: dict[str, Readers] = {}
        self._is_prepared = False

    def is_prepared(self) -> bool:
        """Whether the log has the index without which events cannot be moved into it."""
        if not self._is_prepared:
            self._is_prepared = indexes.name_of(KEY_INDEX) in indexes.states(self._log).ready
        return self._is_prepared

    @property
    def collection(self) -> Collection[Bson]:
        """The collection of the log, on the primary."""
        return self._log

    def close(self) -> None:
        """Release the leases, so that other processes need not wait for them to expire."""
        self._mover.release()
        self._pruner.release()

    def release_mover(self) -> None:
        """Let another process move at once."""
        self._mover.release()

    def move(self, collections: Iterable[Collection[Bson]], *, wait: bool) -> None:
        """Move the events that wait in envelopes into the log, unless another process does it.

        With `wait`, return only when the events that were waiting at the call are logged, or
        another process takes longer than a second for them. While the log has no unique index,
        they go on waiting.
        """
        with self._moving:
            if not self.is_prepared():
                return
            for collection in map(pinned, collections):
                while batch := self._waiting(collection, {PENDING: True}):
                    if not self._mover.acquire():
                        if wait:
                            self._wait(collection, batch)
                        break
                    full = len(batch) == self._round()
                    self._move_round(collection, batch)
                    if not full:
                        self._halvings = 0
                        break

    def _round(self) -> int:
        return max(1, MOVED_AT_ONCE >> self._halvings)

    def _move_round(self, collection: Collection[Bson], batch: list[Bson]) -> None:
        """Move the events of a round; if it takes too long, the next ones are smaller."""
        try:
            self._log_and_clear(collection, batch)
        except failures.AutoReconnect:  # a response that did not come in time is one, too
            self._halvings = min(self._halvings + 1, _MOST_HALVINGS)
            raise

    def move_of(self, collection: Collection[Bson], id: str) -> None:
        """Move the events of one envelope; a tombstone is removed.

        Raises:
            StoreError: the log has no unique index yet.
        """
        collection = pinned(collection)
        self._log_and_clear(collection, self._waiting(collection, {"_id": id, PENDING: True}))

    def read(self, after: int, limit: int) -> tuple[Event, ...]:
        """Return the events after a number."""
        rows = self._committed.find({"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)
        return tuple(Event(int(row["_id"]), str(row["c"]).encode()) for row in rows)

    def last(self) -> int:
        """Return the newest number; the last entry is never pruned."""
        return self._newest(self._committed)

    def prune(self, before: datetime, through: int | None = None) -> int:
        """Remove events logged before an instant, up to the number `through` if it is given.

        The last one stays, which keeps the count.

        Does nothing while another process prunes. Works in steps, the oldest first, for about as
        long as one query may take; the next call continues.
        """
        if not self._pruner.acquire():
            return 0
        end = self.last() - 1
        if through is not None:
            end = min(end, through)
        deadline = time.monotonic() + self._milliseconds / 1000
        pruned = 0
        while time.monotonic() < deadline:
            rows = self._log.find(
                {"t": {"$lt": before}, "_id": {"$lte": end}},
                {"_id": 1},
                sort=[("t", 1)],
                limit=_PRUNED_AT_ONCE,
                max_time_ms=self._milliseconds,
            )
            numbers = [row["_id"] for row in rows]
            if not numbers:
                break
            within = {"_id": {"$gte": min(numbers), "$lte": max(numbers)}, "t": {"$lt": before}}
            pruned += self._log.delete_many(within).deleted_count
        return pruned

    @staticmethod
    def _newest(log: Collection[Bson]) -> int:
        row = log.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        return int(row["_id"]) if row else 0

    def _waiting(self, collection: Collection[Bson], where: Bson) -> list[Bson]:
        return list(
            collection.find(
                where,
                {EVENTS: 1, DELETED: 1, "v": 1, "n": 1},
                sort=[("_id", 1)],
                limit=self._round(),
            )
        )

    @staticmethod
    def _wait(collection: Collection[Bson], batch: list[Bson]) -> None:
        """Wait until another process has moved a batch."""
        deadline = time.monotonic() + _WAIT_SECONDS
        states = [_state(envelope) for envelope in batch]
        while states and time.monotonic() < deadline:
            states = states[: MOVED_AT_ONCE // 10]
            if not collection.count_documents({"$or": states, PENDING: True}, limit=1):
                return
            time.sleep(0.01)

    def _log_and_clear(self, collection: Collection[Bson], batch: list[Bson]) -> None:
        found = [
            (key, content)
            for envelope in batch
            for key, content in sorted(envelope.get(EVENTS, {}).items())
        ]
        # Asked after the batch was read: whoever is not there by now needs none of it.
        if found and self._is_read(collection):
            self._append(found)
        if batch:
            collection.bulk_write([_clearing(envelope) for envelope in batch], ordered=False)

    def _is_read(self, collection: Collection[Bson]) -> bool:
        readers = self.readers.get(collection.name)
        return readers is None or readers.are_there()

    def _append(self, found: list[tuple[str, str]]) -> None:
        """Insert events at the log's end; another process may be doing the same."""
        if not self.is_prepared():
            raise StoreError("the log of events has no unique index; a server builds it")
        now = datetime.now(UTC)
        left = found
        while left:
            number = self._newest(self._log)
            rows = [
                {"_id": number + position, "k": key, "c": content, "t": now}
                for position, (key, content) in enumerate(left, 1)
            ]
            try:
                self._log.insert_many(rows, ordered=True)  # readers rely on there being no gap
                return
            except failures.BulkWriteError as error:
                left = self._remaining(left, error)

    def _remaining(
        self, found: list[tuple[str, str]], error: failures.BulkWriteError
    ) -> list[tuple[str, str]]:
        """Return what is still to be inserted after an insertion that met a taken number or key."""
        (problem, *_) = (error.details or {}).get("writeErrors", None) or [{}]
        if problem.get("code") != _TAKEN:
            raise error
        rest = found[int(problem["index"]) :]
        keys = [key for key, _ in rest]
        logged = {row["k"] for row in self._log.find({"k": {"$in": keys}}, {"k": 1})}
        return [(key, content) for key, content in rest if key not in logged]


class BackgroundMover:
    """Moves events while nobody reads the log, so that envelopes stay small.

    Where events are delivered, the delivery process moves them as they come; where none are, this
    does it whenever the process has caused enough of them.
    """

    def __init__(self, move: Callable[[], None]) -> None:
        self._move = move
        self._lock = threading.Lock()
        self._events = 0
        self._thread: threading.Thread | None = None

    def count(self, events: int) -> None:
        """Count events of a finished write, and begin to move when there are many."""
        if not events:
            return
        with self._lock:
            self._events += events
            if self._events < MOVED_AT_ONCE or self._thread is not None:
                return
            self._events = 0
            self._thread = threading.Thread(target=self._run, name="event-mover", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait for a move in progress."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            self._move()
        finally:
            self._thread = None


def _state(envelope: Bson) -> Bson:
    """Return the condition that an envelope is as it was read.

    Each write changes the version or the mark of deletion; `n` differs when the id was used again.
    """
    state = {"_id": envelope["_id"], "v": envelope["v"], "n": envelope["n"]}
    return {**state, DELETED: envelope.get(DELETED)}


def _clearing(envelope: Bson) -> Any:
    """Return the write that takes logged events out of an envelope that is as it was read.

    One that was written meanwhile keeps its events: the next round logs the new ones, knows the
    others by their keys, and clears it.
    """
    if envelope.get(DELETED):
        return pymongo.DeleteOne(_state(envelope))
    return pymongo.UpdateOne(_state(envelope), {"$unset": {PENDING: 1, EVENTS: 1}})
