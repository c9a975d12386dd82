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
    QueryTooSlow,
    StoreError,
    StoreUrlError,
    VersionConflict,
)
from storage.mongo import conditions, emulation, log, ordering
from storage.mongo.conditions import Filter
from storage.mongo.envelope import INSTANT_SUFFIX, Bson, decode, encode, field
from storage.mongo.log import Log
from storage.port import Document, Event, Index, Page
from storage.query import Query

_DEFAULTS = {"retryWrites": True, "w": "majority", "appname": "tmf683"}
_DATABASE = "tmf683"
_ORDER_OF_INSERTION = [("n", -1), ("_id", -1)]


class MongoStore:
    """`storage.port.Store` on the database that a `mongodb://` URL names.

    Every option of the URL is pymongo's. Unless it says otherwise, writes wait for a majority of
    the replica set and are retried once; a server that cannot be reached is an error within
    `patience_seconds`, and is used again as soon as it is back.
    """

    quick = False

    def __init__(
        self, url: str, *, query_seconds: float = 5.0, patience_seconds: float = 5.0
    ) -> None:
        patience = round(patience_seconds * 1000)
        options = {"serverSelectionTimeoutMS": patience, "connectTimeoutMS": patience} | _DEFAULTS
        given = {part.partition("=")[0].lower() for part in url.partition("?")[2].split("&")}
        options = {name: value for name, value in options.items() if name.lower() not in given}
        try:
            self._client: MongoClient[Bson] = MongoClient(url, tz_aware=True, **options)  # type: ignore[arg-type]
            self._database = self._client.get_default_database(_DATABASE)
        except (failures.ConfigurationError, failures.InvalidURI, ValueError) as error:
            raise StoreUrlError(f"not a MongoDB URL: {error}") from None
        self._query_milliseconds = max(1, round(query_seconds * 1000))
        self._numbers = _Numbers()
        self._turn = threading.Lock()
        self._emulated: bool | None = None
        self._log = Log(self._database)
        self._prepared: set[str] = set()

    @property
    def solitary(self) -> bool:
        """See `Store.solitary`; MongoDB is not, what stands in for it in tests is."""
        with _explained():
            return self._is_emulated()

    def prepare(self, collection: str, indexes: Iterable[Index]) -> None:
        """See `Store.prepare`."""
        wanted = {"newest": _ORDER_OF_INSERTION}
        wanted |= {index.name: _keys(index) for index in indexes}
        with _explained():
            found = self._collection(collection)
            there = {each["name"] for each in found.list_indexes()}
            missing = [
                pymongo.IndexModel(keys, name=name)
                for name, keys in wanted.items()
                if name not in there
            ]
            if log.PENDING not in there and not self._is_emulated():
                missing.append(log.index())
            if missing:
                found.create_indexes(missing)
            self._log.prepare()
        self._prepared.add(collection)

    def indexes(self, collection: str) -> frozenset[str]:
        """See `Store.indexes`."""
        with _explained():
            names = {each["name"] for each in self._collection(collection).list_indexes()}
        return frozenset(names - {"_id_", "newest", "pending"})

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
        pending = log.pending(events)
        with _explained(), self._turns():
            found = self._collection(collection)
            try:
                found.insert_one({"_id": id, **envelope, **log.nested(pending)})
            except failures.DuplicateKeyError:
                change = {"$set": {**envelope, **pending}, "$unset": {"x": 1}}
                if not found.update_one({"_id": id, "x": True}, change).matched_count:
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
        change = {"$set": {**changed, **log.pending(events)}}
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
                change = {"$set": {"x": True, **log.pending(events)}, "$unset": {"d": 1}}
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

    def forget_events(self, before: datetime) -> int:
        """See `Store.forget_events`."""
        with _explained():
            return self._log.forget(before)

    def batch(self) -> AbstractContextManager[None]:
        """See `Store.batch`; a majority write waits for other machines, not for this thread."""
        return nullcontext()

    def find(self, collection: str, query: Query) -> Page:
        """See `Store.find`."""
        with _explained():
            where: Filter = {"x": None}
            if query.where is not None:
                where = {"$and": [where, conditions.condition(query.where)]}
            if self._lacks(query):
                candidates = self._collection(collection).find(
                    {"x": None}, max_time_ms=self._query_milliseconds
                )
                return emulation.find(candidates, query, _document)
            rows = self._rows(collection, query, where)
            more, rows = len(rows) > query.window.limit, rows[: query.window.limit]
            total = None
            if query.count:
                whole = not more and query.after is None and (rows or not query.window.offset)
                total = query.window.offset + len(rows) if whole else None
                total = self._count(collection, where) if total is None else total
        end = ordering.position(query.sort, rows[-1]) if more and rows else None
        documents = (_document(envelope).selected(query.select) for envelope in rows)
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
            self._log.collect(map(self._collection, sorted(self._prepared)))

    def _collection(self, name: str) -> Collection[Bson]:
        return self._database[name.replace("/", ".")]

    def _rows(self, collection: str, query: Query, where: Filter) -> list[Bson]:
        """Return the envelopes of a window, and one more when there is one."""
        if query.after is not None:
            where = {"$and": [where, ordering.behind(query.sort, query.after)]}
        offset, limit = query.window.offset, min(query.window.limit, 2**31 - 2) + 1
        if offset >= 2**31:
            return []
        projection = _projection(query)
        computed = ordering.missing_last(query.sort)
        if not computed:
            cursor = self._collection(collection).find(
                where,
                projection,
                sort=list(ordering.order(query.sort).items()),
                skip=offset,
                limit=limit,
                max_time_ms=self._query_milliseconds,
            )
            return list(cursor)
        stages: list[Filter] = [
            {"$match": where},
            {"$addFields": computed},
            {"$sort": ordering.order(query.sort)},
            {"$skip": offset},
            {"$limit": limit},
        ]
        if projection:
            stages.append({"$project": projection})
        pipeline = [stage for stage in stages if stage != {"$skip": 0}]
        aggregate = self._collection(collection).aggregate(
            pipeline, maxTimeMS=self._query_milliseconds
        )
        return list(aggregate)

    def _count(self, collection: str, where: Filter) -> int:
        found = self._collection(collection)
        if where.keys() == {"x"}:  # tombstones are few, and soon gone
            return found.estimated_document_count(maxTimeMS=self._query_milliseconds)
        return found.count_documents(where, maxTimeMS=self._query_milliseconds)

    @staticmethod
    def _has_pending(found: Collection[Bson], this: Filter) -> bool:
        """Whether earlier events of a document still wait in its envelope."""
        return found.find_one({**this, log.PENDING: True}, {"_id": 1}) is not None

    def _lacks(self, query: Query) -> bool:
        """Whether the server, which is not quite MongoDB, cannot answer this query itself."""
        return self._is_emulated() and emulation.is_beyond(query)

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


def _keys(index: Index) -> list[tuple[str, int]]:
    """Return an index's keys: the hinted paths, and the order of insertion that settles ties."""
    keys = [
        (field(path) + (INSTANT_SUFFIX if path in index.instants else ""), 1)
        for path in index.paths
    ]
    return [*keys, *_ORDER_OF_INSERTION]


def _projection(query: Query) -> dict[str, int] | None:
    """Return what is to be read of each envelope: the selected paths, and those sorted by."""
    if not query.select:
        return None
    names = [field(path) for path in query.select if path != ("href",)]
    names += [ordering.sort_field(key) for key in query.sort]
    chosen: dict[str, int] = {"v": 1, "n": 1, "f": 1}
    for name in sorted(set(names)):
        if not any(name.startswith(f"{other}.") for other in chosen):  # else they collide
            chosen[name] = 1
    return chosen


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
    except failures.DocumentTooLarge as error:
        raise StoreError(f"the document is too large for MongoDB: {error}") from error
    except failures.PyMongoError as error:
        raise StoreError(f"MongoDB: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).split(", full error", 1)[0].split(", Timeout", 1)[0][:300]
