"""The log of events on MongoDB.

A write leaves its events in the envelope of its document, so that both are one atomic change; a
deleted document's envelope stays as a tombstone until its events are logged. From there they are
moved into the log, a collection whose `_id`s are consecutive numbers: an event is inserted as the
next number after the last one, so that whoever has read up to a number has missed none. Any number
of processes may move at once; an event has a key by which it is logged once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pymongo
import uuid_utils
from pymongo import errors as failures
from pymongo.collection import Collection
from pymongo.database import Database

from storage.mongo.envelope import Bson
from storage.port import Event

LOG = "events.log"
PENDING = "p"
EVENTS = "e"
PENDING_INDEX = "pending"
TOMBSTONE: Bson = {PENDING: True, "x": True}
"""What is left of a deleted document while its events wait."""

_MOST_AT_ONCE = 500
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


class Log:
    """The events of one database."""

    def __init__(self, database: Database[Bson]) -> None:
        self._log: Collection[Bson] = database[LOG]
        self._prepared = False

    def prepare(self) -> None:
        """Make the index that keeps an event from being logged twice."""
        if not self._prepared:
            self._log.create_index([("k", 1)], name="key", unique=True)
            self._prepared = True

    def collect(self, collections: Iterable[Collection[Bson]]) -> None:
        """Move the events that wait in envelopes into the log."""
        for collection in collections:
            self._move(collection, {PENDING: True})

    def collect_of(self, collection: Collection[Bson], id: str) -> None:
        """Move the events of one envelope; a tombstone goes with its last one."""
        self._move(collection, {"_id": id, PENDING: True})

    def read(self, after: int, limit: int) -> tuple[Event, ...]:
        """Return the events after a number."""
        rows = self._log.find({"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)
        return tuple(Event(int(row["_id"]), str(row["c"]).encode()) for row in rows)

    def last(self) -> int:
        """Return the newest number; the last entry is never forgotten."""
        row = self._log.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        return int(row["_id"]) if row else 0

    def forget(self, before: datetime, through: int | None = None) -> int:
        """Remove events logged before an instant, the last one aside: it keeps the count."""
        beyond = self.last() if through is None else min(self.last(), through + 1)
        done = self._log.delete_many({"t": {"$lt": before}, "_id": {"$lt": beyond}})
        return done.deleted_count

    def _move(self, collection: Collection[Bson], where: Bson) -> None:
        waiting = collection.find(
            where, {EVENTS: 1, "x": 1}, sort=[("_id", 1)], limit=_MOST_AT_ONCE
        )
        envelopes = list(waiting)
        found = [
            (key, content)
            for envelope in envelopes
            for key, content in sorted(envelope.get(EVENTS, {}).items())
        ]
        if found:
            self._append(found)
        for envelope in envelopes:
            self._clear(collection, envelope)

    def _append(self, found: list[tuple[str, str]]) -> None:
        """Insert events at the log's end; another process may be doing the same."""
        self.prepare()
        now = datetime.now(UTC)
        left = found
        while left:
            number = self.last()
            rows = [
                {"_id": number + position, "k": key, "c": content, "t": now}
                for position, (key, content) in enumerate(left, 1)
            ]
            try:
                self._log.insert_many(rows, ordered=True)
                return
            except failures.BulkWriteError as error:
                left = self._remaining(left, error)

    def _remaining(
        self, found: list[tuple[str, str]], error: failures.BulkWriteError
    ) -> list[tuple[str, str]]:
        """Return what is still to be inserted after an insertion that met a taken number or key."""
        (problem, *_) = (error.details or {}).get("writeErrors", [{}])
        if problem.get("code") != _TAKEN:
            raise error
        rest = found[int(problem["index"]) :]
        keys = [key for key, _ in rest]
        logged = {row["k"] for row in self._log.find({"k": {"$in": keys}}, {"k": 1})}
        return [(key, content) for key, content in rest if key not in logged]

    @staticmethod
    def _clear(collection: Collection[Bson], envelope: Bson) -> None:
        """Take logged events out of an envelope; a tombstone without events goes."""
        keys: dict[str, Any] = {f"{EVENTS}.{key}": 1 for key in envelope.get(EVENTS, {})}
        if keys:
            collection.update_one({"_id": envelope["_id"]}, {"$unset": keys})
        emptied = {"_id": envelope["_id"], EVENTS: {"$in": [{}, None]}}
        if envelope.get("x"):
            collection.delete_one({**emptied, "x": True})
        collection.update_one(emptied, {"$unset": {PENDING: 1, EVENTS: 1}})


def index() -> pymongo.IndexModel:
    """Return the index that finds envelopes with waiting events."""
    return pymongo.IndexModel([(PENDING, 1)], name=PENDING_INDEX, sparse=True)
