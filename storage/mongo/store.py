"""The storage port on MongoDB."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo import errors as failures
from pymongo.collection import Collection

from storage import json
from storage.errors import (
    DocumentExists,
    DocumentNotFound,
    DocumentTooLarge,
    QueryTooSlow,
    StoreError,
    StoreUrlError,
    UnsupportedQuery,
    VersionConflict,
)
from storage.mongo import emulation, indexing, log, ordering
from storage.mongo.envelope import Bson, decode, encode
from storage.mongo.finding import Finder
from storage.mongo.log import Log
from storage.port import Document, Event, Index, Page
from storage.query import Path, Query

_DEFAULTS = {"retryWrites": True, "w": "majority", "appname": "tmf683"}
_DATABASE = "tmf683"
_REFUSED = frozenset({2, 9, 15, 51091, 51108, 51109})
"""MongoDB's codes for a query that it does not understand: values, nesting, patterns."""

_TOO_LARGE = frozenset({10334, 17419, 17420})
"""MongoDB's codes for a document beyond 16 MB."""


class MongoStore:
    """`storage.port.Store` on the database that a `mongodb://` URL names.

    Every option of the URL is pymongo's. Unless it says otherwise, writes wait for a majority of
    the replica set and are retried once; a server that cannot be reached is an error within
    `patience_seconds`, and is used again as soon as it is back.
    """

    reads_without_io_wait = False

    def __init__(
        self, url: str, *, query_seconds: float = 5.0, patience_seconds: float = 5.0
    ) -> None:
        patience = round(patience_seconds * 1000)
        waits = ("serverSelectionTimeoutMS", "connectTimeoutMS", "wTimeoutMS")
        options: dict[str, Any] = dict.fromkeys(waits, patience) | _DEFAULTS
        options["socketTimeoutMS"] = patience + round(query_seconds * 1000)
        given = {part.partition("=")[0].lower() for part in url.partition("?")[2].split("&")}
        options = {name: value for name, value in options.items() if name.lower() not in given}
        try:
            self._client: MongoClient[Bson] = MongoClient(url, tz_aware=True, **options)
            self._database = self._client.get_default_database(_DATABASE)
        except (failures.ConfigurationError, failures.InvalidURI, ValueError) as error:
            raise StoreUrlError(f"not a MongoDB URL: {error}") from None
        self._query_milliseconds = max(1, round(query_seconds * 1000))
        self._numbers = _Numbers()
        self._turn = threading.Lock()
        self._emulated: bool | None = None
        self._log = Log(self._database)
        self._scalars: dict[str, frozenset[Path]] = {}

    @property
    def single_process(self) -> bool:
        """See `Store.single_process`; MongoDB is not, what stands in for it in tests is."""
        with _explained():
            return self._is_emulated()

    def prepare(self, collection: str, indexes: Iterable[Index]) -> None:
        """See `Store.prepare`."""
        indexes = tuple(indexes)
        wanted = indexing.definitions(indexes)
        with _explained():
            found = self._collection(collection)
            there = {each["name"] for each in found.list_indexes()}
            missing = [
                pymongo.IndexModel(keys, name=name)
                for name, keys in wanted.items()
                if name not in there
            ]
            if log.PENDING_INDEX not in there:
                missing.append(log.index())
            if missing:
                found.create_indexes(missing)
            self._log.prepare()
        self._scalars[collection] = frozenset(
            path for index in indexes if not index.many for path in index.paths
        )

    def indexes(self, collection: str) -> frozenset[str]:
        """See `Store.indexes`."""
        with _explained():
            names = {each["name"] for each in self._collection(collection).list_indexes()}
        return indexing.hinted(names - {log.PENDING_INDEX})

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
        envelope |= {"_id": id, **log.nested(log.pending(events, 1))}
        with _explained(), self._turns():
            found = self._collection(collection)
            try:
                found.insert_one(envelope)
            except failures.DuplicateKeyError:
                self._log.collect_of(found, id)  # what is gone makes room when its events are told
                try:
                    found.insert_one(envelope)
                except failures.DuplicateKeyError:
                    raise DocumentExists(collection, id) from None
        return Document(id, 1, content, form)

    def get(self, collection: str, id: str) -> Document:
        """See `Store.get`."""
        with _explained():
            envelope = self._collection(collection).find_one({"_id": id, "x": None})
        if envelope is None:
            raise DocumentNotFound(collection, id)
        return _document(envelope)

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
        change = {"$set": {**changed, **log.pending(events, version + 1)}}
        this = {"_id": id, "v": version, "x": None}
        with _explained(), self._turns():
            done = self._collection(collection).update_one(this, change)
        if not done.matched_count:
            self.get(collection, id)
            raise VersionConflict(collection, id, version)
        return Document(id, version + 1, content, form)

    def delete(
        self, collection: str, id: str, *, version: int, events: Sequence[bytes] = ()
    ) -> None:
        """See `Store.delete`."""
        this = {"_id": id, "v": version, "x": None}
        with _explained(), self._turns():
            found = self._collection(collection)
            if events or self._has_pending(found, this):
                change = {
                    "$set": {"x": True, **log.pending(events, version + 1)},
                    "$unset": {"d": 1},
                }
                done = found.update_one(this, change).matched_count
            else:
                done = found.delete_one({**this, log.PENDING: None}).deleted_count
        if not done:
            self.get(collection, id)
            raise VersionConflict(collection, id, version)

    def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """See `Store.events`."""
        with _explained():
            self._collect()
            return self._log.read(after, limit)

    def last_event(self) -> int:
        """See `Store.last_event`."""
        with _explained():
            self._collect()
            return self._log.last()

    def prune_events(self, before: datetime, *, through: int | None = None) -> int:
        """See `Store.prune_events`."""
        with _explained():
            return self._log.forget(before, through)

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
        with _explained():
            scalars = self._scalars.get(collection, frozenset())
            plain = ordering.is_plain(query.sort, scalars)
            finder = Finder(self._collection(collection), self._query_milliseconds)
            if self._is_emulated() and emulation.is_beyond(query, plain=plain):
                return emulation.find(finder.everything(), query, _document)
            rows, total = finder.find(query, plain=plain)
        more, rows = len(rows) > query.window.limit, rows[: query.window.limit]
        documents: list[Document] = []
        size = 0
        for envelope in rows:
            document = _document(envelope)
            size += len(document.content)
            if query.most_bytes is not None and documents and size > query.most_bytes:
                more, rows = True, rows[: len(documents)]
                break
            documents.append(document.selected(query.select))
        end = ordering.position(query.sort, rows[-1]) if more and rows else None
        return Page(tuple(documents), total, end)

    def ping(self) -> None:
        """See `Store.ping`."""
        with _explained():
            self._client.admin.command("ping")

    def close(self) -> None:
        """See `Store.close`."""
        self._client.close()

    def _collect(self) -> None:
        with self._turns():
            self._log.collect(map(self._collection, sorted(self._scalars)))

    def _collection(self, name: str) -> Collection[Bson]:
        return self._database[name.replace("/", ".")]

    @staticmethod
    def _has_pending(found: Collection[Bson], this: Bson) -> bool:
        """Whether earlier events of a document still wait in its envelope."""
        return found.find_one({**this, log.PENDING: True}, {"_id": 1}) is not None

    def _turns(self) -> AbstractContextManager[Any]:
        """Let changes take turns where the server does not make them atomic."""
        return self._turn if self._is_emulated() else nullcontext()

    def _is_emulated(self) -> bool:
        if self._emulated is None:
            self._emulated = emulation.is_needed(self._client)
        return self._emulated


class _Numbers:
    """Numbers that grow with time: the order in which this process inserts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return self._last


def _document(envelope: Bson) -> Document:
    content = json.dumps(decode(envelope.get("d", {})))
    return Document(envelope["_id"], int(envelope["v"]), content, envelope.get("f", ""))


@contextmanager
def _explained() -> Iterator[None]:
    """Let pymongo's failures leave as the port's."""
    try:
        yield
    except failures.ExecutionTimeout:
        raise QueryTooSlow("the query took longer than queries may") from None
    except failures.DocumentTooLarge:
        raise DocumentTooLarge("the document is larger than MongoDB can keep") from None
    except failures.OperationFailure as error:
        if error.code in _TOO_LARGE:
            raise DocumentTooLarge("the document is larger than MongoDB can keep") from None
        if error.code in _REFUSED:
            raise UnsupportedQuery(f"MongoDB refuses it: {_first_line(error)}") from None
        raise StoreError(f"MongoDB: {_first_line(error)}") from error
    except failures.PyMongoError as error:
        raise StoreError(f"MongoDB: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).split(", full error", 1)[0].split(", Timeout", 1)[0][:300]
