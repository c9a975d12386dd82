"""The storage port on MongoDB."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo import errors as failures
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_preferences import ReadPreference

from storage import json
from storage.errors import (
    DocumentExists,
    DocumentNotFound,
    StoreUrlError,
    VersionConflict,
)
from storage.mongo import event_log, ordering
from storage.mongo import indexes as index_builds
from storage.mongo.change_stream import ChangeStream
from storage.mongo.envelope import DELETED, PENDING, Bson, decode, encode
from storage.mongo.event_log import BackgroundMover, EventLog
from storage.mongo.event_readers import Readers
from storage.mongo.failures import is_too_large, translated
from storage.mongo.finding import WITHOUT_EVENTS, Finder
from storage.mongo.indexes import IndexBuilder
from storage.port import Document, Event, EventReaders, Index, Insertion, Page
from storage.query import Path, Query

_DEFAULTS = {"journal": True, "retryWrites": True, "w": "majority", "appname": "tmf683"}
_DATABASE = "tmf683"
_HEALTH = "server.health"
_DUPLICATE_KEY = 11000
_ATTEMPTS = 20
"""How often a write is repeated whose document was moved, cleared or freed in between."""


class MongoStore:
    """`storage.port.Store` on the database that a `mongodb://` URL names.

    Every option of the URL is pymongo's. Unless it says otherwise, writes wait for a majority of
    the replica set and are retried once; a server that cannot be reached is an error within
    `selection_seconds`, and is used again as soon as it is back. Single documents and events are
    read from the primary; lists from where the URL's read preference says.
    """

    reads_without_io_wait = False
    single_process = False

    def __init__(
        self, url: str, *, query_seconds: float = 5.0, selection_seconds: float = 5.0
    ) -> None:
        selection = round(selection_seconds * 1000)
        waits = ("serverSelectionTimeoutMS", "connectTimeoutMS", "wTimeoutMS")
        options: dict[str, Any] = dict.fromkeys(waits, selection) | _DEFAULTS
        options["socketTimeoutMS"] = selection + round(query_seconds * 1000)
        given = {part.partition("=")[0].lower() for part in url.partition("?")[2].split("&")}
        options = {name: value for name, value in options.items() if name.lower() not in given}
        try:
            self._client: MongoClient[Bson] = MongoClient(url, tz_aware=True, **options)
            self._database = self._client.get_default_database(_DATABASE)
        except (failures.ConfigurationError, failures.InvalidURI, ValueError) as error:
            raise StoreUrlError(f"not a MongoDB URL: {error}") from None
        self._query_milliseconds = max(1, round(query_seconds * 1000))
        self._numbers = _Numbers()
        self._log = EventLog(self._database, self._query_milliseconds)
        self._mover = BackgroundMover(self._move_in_background)
        unbounded = {**options, "socketTimeoutMS": None}
        self._builder = IndexBuilder(
            lambda: MongoClient(url, tz_aware=True, **unbounded), self._database.name
        )
        self._scalars: dict[str, frozenset[Path]] = {}

    def prepare(self, collection: str, indexes: Iterable[Index]) -> None:
        """See `Store.prepare`; the indexes of a large collection are built in the background."""
        indexes = tuple(indexes)
        with translated():
            found = self._collection(collection)
            self._build(found, self._definitions(indexes), lambda: self._remove_ghosts(found))
            self._build(self._log.collection, event_log.INDEXES, lambda: None)
        self._scalars[collection] = frozenset(
            path for index in indexes if not index.many for path in index.paths
        )

    def collections(self) -> frozenset[str]:
        """See `Store.collections`."""
        with translated():
            return frozenset(
                name.replace(".", "/")
                for name in self._database.list_collection_names()
                if self._database[name].find_one({}, {"_id": True}) is not None
            )

    def indexes(self, collection: str) -> frozenset[str]:
        """See `Store.indexes`."""
        with translated():
            return index_builds.hinted(index_builds.states(self._collection(collection)).ready)

    def index_builds(self, collection: str) -> Mapping[str, float | None]:
        """See `Store.index_builds`."""
        with translated():
            return index_builds.progress(self._collection(collection))

    def log_events_for(self, collection: str, readers: EventReaders) -> None:
        """See `Store.log_events_for`; whether there is a reader is asked when events are moved."""
        self._log.readers[self._collection(collection).name] = Readers(
            self._collection(readers.collection), readers.ranges()
        )

    def insert(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        """See `Store.insert`."""
        envelope: Bson = {"v": 1, "n": self._numbers.next(), "f": form}
        envelope["d"] = encode(json.loads(content))
        envelope |= {"_id": id, **event_log.nested(event_log.pending(events, 1))}
        with translated():
            self._insert(self._collection(collection), envelope, collection)
        self._mover.count(len(events))
        return Document(id, 1, content, form)

    def insert_all(self, collection: str, insertions: Sequence[Insertion]) -> tuple[Document, ...]:
        """See `Store.insert_all`; one request for each, after one that looks for taken ids."""
        ids = [each.id for each in insertions]
        again = next((id for place, id in enumerate(ids) if id in ids[:place]), None)
        if again is None:
            with translated():
                found = self._of_primary(collection)
                taken = found.find_one({"_id": {"$in": ids}, DELETED: None}, {"_id": 1})
            again = taken["_id"] if taken else None
        if again is not None:
            raise DocumentExists(collection, again)
        return tuple(
            [
                self.insert(collection, each.id, each.content, form=each.form, events=each.events)
                for each in insertions
            ]
        )

    def insert_many(self, collection: str, documents: Sequence[Document]) -> tuple[bool, ...]:
        """See `Store.insert_many`; one request for all, and one for each whose id is taken."""
        envelopes: list[Bson] = [
            {
                "_id": each.id,
                "v": 1,
                "n": self._numbers.next(),
                "f": each.form,
                "d": encode(json.loads(each.content)),
            }
            for each in documents
        ]
        added = [True] * len(envelopes)
        with translated():
            found = self._collection(collection)
            for index in _taken(found, envelopes):
                try:
                    self._insert(found, envelopes[index], collection)
                except DocumentExists:
                    added[index] = False
        return tuple(added)

    def get(self, collection: str, id: str) -> Document:
        """See `Store.get`."""
        with translated():
            found = self._of_primary(collection)
            envelope = found.find_one({"_id": id, DELETED: None}, WITHOUT_EVENTS)
        if envelope is None:
            raise DocumentNotFound(collection, id)
        return document_of(envelope)

    def replace(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        version: int,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        """See `Store.replace`."""
        changed = {"d": encode(json.loads(content)), "v": version + 1, "f": form}
        change = {"$set": {**changed, **event_log.pending(events, version + 1)}}
        this = {"_id": id, "v": version, DELETED: None}
        with translated():
            found = self._collection(collection)
            try:
                matched = found.update_one(this, change).matched_count
            except failures.PyMongoError as error:
                if not is_too_large(error):
                    raise
                self._log.move_of(found, id)  # events that wait may be what makes it too large
                matched = found.update_one(this, change).matched_count
        if not matched:
            self.get(collection, id)
            raise VersionConflict(collection, id, version)
        self._mover.count(len(events))
        return Document(id, version + 1, content, form)

    def delete(
        self, collection: str, id: str, *, version: int, events: Sequence[bytes] = ()
    ) -> None:
        """See `Store.delete`."""
        this = {"_id": id, "v": version, DELETED: None}
        added = event_log.pending(events, version + 1)
        change = {"$set": {DELETED: True, **added}, "$unset": {"d": 1}}
        for _ in range(_ATTEMPTS):
            with translated():
                found = self._collection(collection)
                if events:
                    done = found.update_one(this, change).matched_count
                else:  # earlier events may wait or not, and a mover may log them at any time
                    done = (
                        found.delete_one({**this, PENDING: None}).deleted_count
                        or found.update_one({**this, PENDING: True}, change).matched_count
                    )
            if done:
                self._mover.count(len(events))
                return
            if self.get(collection, id).version != version:
                break
        raise VersionConflict(collection, id, version)

    def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """See `Store.events`."""
        with translated():
            self._move_events(wait=False)
            return self._log.read(after, limit)

    def last_event(self, *, collect: bool = True) -> int:
        """See `Store.last_event`."""
        with translated():
            if collect:
                self._move_events(wait=True)
            return self._log.last()

    def prune_events(self, before: datetime, *, through: int | None = None) -> int:
        """See `Store.prune_events`; one process prunes, and the calls of others do nothing."""
        with translated():
            self._move_events(wait=False)  # the newest event in the log stays
            return self._log.prune(before, through)

    def watch_events(self, seen: Callable[[], object]) -> ChangeStream:
        """See `Store.watch_events`; open on replica sets and sharded clusters alone."""
        return ChangeStream(self._database, seen)

    def batch(self) -> AbstractContextManager[None]:
        """See `Store.batch`; each write is durable by itself.

        A bulk write says only when it is sent which ids were taken and which versions still stood,
        and keeps what it does not refuse. Inside a batch each write is to say so itself, and an
        error on leaving is to mean that nothing was kept.
        """
        return nullcontext()

    def group(self) -> None:
        """See `Store.group`."""
        return

    def find(self, collection: str, query: Query) -> Page:
        """See `Store.find`."""
        with translated():
            rows, total = self.finder(collection, query.seconds).find(query)
        more, rows = len(rows) > query.window.limit, rows[: query.window.limit]
        documents: list[Document] = []
        size = 0
        for envelope in rows:
            document = document_of(envelope)
            size += len(document.content)
            if query.most_bytes is not None and documents and size > query.most_bytes:
                more, rows = True, rows[: len(documents)]
                break
            documents.append(document.selected(query.select))
        end = ordering.position(query.sort, rows[-1]) if more and rows else None
        return Page(tuple(documents), total, end)

    @property
    def database(self) -> Database[Bson]:
        """The database, as the URL's options make it."""
        return self._database

    def finder(self, collection: str, seconds: float | None = None) -> Finder:
        """Return what queries a collection, for `seconds` where that is less than queries may."""
        milliseconds = self._query_milliseconds
        if seconds is not None:
            milliseconds = max(1, min(milliseconds, round(seconds * 1000)))
        scalars = self._scalars.get(collection, frozenset())
        return Finder(self._collection(collection), milliseconds, scalars)

    def ping(self) -> None:
        """See `Store.ping`."""
        with translated():
            self._client.admin.command("ping")

    def check_write(self, seconds: float) -> None:
        """See `Store.check_write`."""
        health = self._database[_HEALTH]
        with translated():
            written = health.find_one({"_id": "written"})
            if written is None or abs(time.time() - written["at"]) >= seconds:
                with suppress(failures.DuplicateKeyError):  # another process was first
                    health.replace_one({"_id": "written"}, {"at": time.time()}, upsert=True)

    def close(self) -> None:
        """See `Store.close`."""
        self._mover.close()
        self._builder.close()
        with suppress(failures.PyMongoError):  # else the leases expire by themselves
            self._log.close()
        self._client.close()

    def _insert(self, found: Collection[Bson], envelope: Bson, collection: str) -> None:
        """Insert an envelope, in place of a tombstone if there is one."""
        for _ in range(_ATTEMPTS):
            try:
                found.insert_one(envelope)
                return
            except failures.DuplicateKeyError:
                if self._is_made(found, envelope):
                    return
                if not self._free(found, envelope["_id"]):
                    break
        raise DocumentExists(collection, envelope["_id"])

    @staticmethod
    def _is_made(found: Collection[Bson], envelope: Bson) -> bool:
        """Whether the insertion has been made before: the driver repeats what was interrupted.

        MongoDB answers a repetition as it answered the first time; servers that only speak its
        protocol may make both.
        """
        this = {name: envelope[name] for name in ("_id", "n", "d")}
        there = found.with_options(read_preference=ReadPreference.PRIMARY).find_one(
            {**this, DELETED: None}, {"_id": 1}
        )
        return there is not None

    def _free(self, found: Collection[Bson], id: str) -> bool:
        """Remove a tombstone, its events logged; False when a document has the id."""
        present = event_log.pinned(found).find_one({"_id": id}, {DELETED: 1, PENDING: 1})
        if present is not None and not present.get(DELETED):
            return False
        if present is not None and not present.get(PENDING):
            found.delete_one({"_id": id, DELETED: True, PENDING: None})
        else:
            self._log.move_of(found, id)
        return True

    @staticmethod
    def _remove_ghosts(found: Collection[Bson]) -> None:
        """Remove tombstones without events: earlier versions could leave them behind."""
        found.delete_many({DELETED: True, PENDING: None})

    def _definitions(self, indexes: Iterable[Index]) -> list[pymongo.IndexModel]:
        return index_builds.definitions(indexes)

    def _build(
        self,
        found: Collection[Bson],
        models: Sequence[pymongo.IndexModel],
        then: Callable[[], object],
    ) -> None:
        """Build the indexes that are missing, and call `then` when all are there.

        Those of a large collection are built in the background, and so are those of a small one
        for which the server takes longer than it may to answer.
        """
        ready = index_builds.states(found).ready
        missing = [model for model in models if index_builds.name_of(model) not in ready]
        if missing and not self._are_built_at_once(found, missing):
            self._builder.add(found.name, missing, then)
        else:
            then()

    def _are_built_at_once(
        self, found: Collection[Bson], models: Sequence[pymongo.IndexModel]
    ) -> bool:
        if not self._is_small(found):
            return False
        try:
            found.create_indexes(models)
        except failures.NetworkTimeout:
            return False
        return True

    @staticmethod
    def _is_small(found: Collection[Bson]) -> bool:
        return found.estimated_document_count() <= index_builds.SMALL

    def _move_events(self, *, wait: bool) -> None:
        every = map(self._collection, sorted(self._scalars))
        found = (each for each in every if not each.name.startswith(event_log.WITHOUT_EVENTS))
        self._log.move(found, wait=wait)

    def _move_in_background(self) -> None:
        self._move_events(wait=False)
        self._log.release_mover()  # a delivery process should not wait for it to expire

    def _collection(self, name: str) -> Collection[Bson]:
        return self._database[name.replace("/", ".")]

    def _of_primary(self, name: str) -> Collection[Bson]:
        """Return the collection as writes find it, for what is read to be written."""
        return self._collection(name).with_options(read_preference=ReadPreference.PRIMARY)


def _taken(found: Collection[Bson], envelopes: Sequence[Bson]) -> list[int]:
    """Insert envelopes in any order; return the indexes of those whose ids are taken.

    Tombstones hold ids too.
    """
    if not envelopes:
        return []
    try:
        found.insert_many(envelopes, ordered=False)
    except failures.BulkWriteError as error:
        failed = error.details["writeErrors"]
        if error.details.get("writeConcernErrors"):
            raise
        for each in failed:
            if each["code"] != _DUPLICATE_KEY:
                raise failures.WriteError(each["errmsg"], each["code"], each) from None
        return sorted(each["index"] for each in failed)
    return []


class _Numbers:
    """Numbers that grow with time: the order in which this process inserts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return self._last


def document_of(envelope: Bson) -> Document:
    """Return the document in an envelope."""
    content = json.dumps(decode(envelope.get("d", {})))
    return Document(envelope["_id"], int(envelope["v"]), content, envelope.get("f", ""))
