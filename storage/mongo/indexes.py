"""The indexes that hints ask for, as MongoDB's, and their builds.

The index of a hint ends in the order of insertion, which settles ties: read backwards it gives
descending keys and newest first, forwards ascending ones. Of a hint of several paths, the first one
has an index of its own beside that: no other gives its order alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pymongo
from pymongo import MongoClient
from pymongo import errors as failures
from pymongo.collection import Collection

from storage.mongo.envelope import DELETED, INSTANT_SUFFIX, PENDING, Bson, field
from storage.mongo.lease import Lease
from storage.port import Index
from storage.query import Path

Keys: TypeAlias = list[tuple[str, int]]

SMALL = 10_000
"""Up to so many documents, an index is built while the caller waits."""

_ORDER_OF_INSERTION: Keys = [("n", 1), ("_id", 1)]
_NEWEST = "newest"
_WAITING = "waiting"
_TOMBSTONES = "tombstones"
_ALONE = " alone"
_LEGACY = "pending"
"""An index of earlier versions, which `waiting` replaces."""

_INTERNAL = frozenset({"_id_", _NEWEST, _WAITING, _TOMBSTONES, _LEGACY})
_LEASE_SECONDS = 20.0
_NO_NAMESPACE = 26
_RETRY_SECONDS = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexStates:
    """The names of a collection's indexes: those that serve, and those still being built."""

    ready: frozenset[str]
    building: frozenset[str]


def definitions(indexes: Iterable[Index]) -> list[pymongo.IndexModel]:
    """Return every index a collection should have."""
    indexes = tuple(indexes)
    alone = [[(_field(each, *each.paths), 1)] for each in indexes if len(each.paths) == 1]
    firsts: dict[str, Keys] = {_NEWEST: []}
    for index in indexes:
        keys = [(_field(index, path), 1) for path in index.paths]
        firsts[index.name] = keys
        if len(keys) > 1 and not index.many and keys[:1] not in alone:
            firsts[f"{'.'.join(index.paths[0])}{_ALONE}"] = keys[:1]
    return [
        *(
            pymongo.IndexModel([*keys, *_ORDER_OF_INSERTION], name=name)
            for name, keys in firsts.items()
        ),
        pymongo.IndexModel(
            [(PENDING, 1), ("_id", 1)], name=_WAITING, partialFilterExpression={PENDING: True}
        ),
        pymongo.IndexModel([(DELETED, 1)], name=_TOMBSTONES, sparse=True),
    ]


def name_of(model: pymongo.IndexModel) -> str:
    """Return the name of an index."""
    return str(model.document["name"])


def hinted(names: Iterable[str]) -> frozenset[str]:
    """Return the names of the hints among the names of a collection's indexes."""
    return frozenset(name for name in names if not name.endswith(_ALONE)) - _INTERNAL


def states(collection: Collection[Bson]) -> IndexStates:
    """Return which indexes the server has, and which it is building."""
    command = {"listIndexes": collection.name, "cursor": {"batchSize": 1000}}
    try:
        answer = collection.database.command({**command, "includeIndexBuildInfo": True})
    except failures.OperationFailure as error:
        if error.code == _NO_NAMESPACE:
            return IndexStates(frozenset(), frozenset())
        # Servers before 7.0 and stand-ins do not know the option.
        ready = frozenset(each["name"] for each in collection.list_indexes())
        return IndexStates(ready, frozenset())
    found = answer["cursor"]["firstBatch"]
    names = {each.get("spec", each)["name"]: "indexBuildInfo" in each for each in found}
    building = frozenset(name for name, unfinished in names.items() if unfinished)
    return IndexStates(frozenset(names) - building, building)


def progress(collection: Collection[Bson]) -> Mapping[str, float | None]:
    """Return the indexes being built, and what part is done; None where the server hides it."""
    found: dict[str, float | None] = dict.fromkeys(states(collection).building)
    if not found:
        return found
    stages: list[Bson] = [
        {"$currentOp": {"allUsers": True}},
        {"$match": {"command.createIndexes": collection.name, "progress": {"$exists": True}}},
    ]
    try:
        operations = list(collection.database.client.admin.aggregate(stages))
    except failures.OperationFailure:  # the user may not look at operations
        return found
    for operation in operations:
        done, total = operation["progress"].get("done", 0), operation["progress"].get("total", 0)
        for each in operation["command"].get("indexes", ()):
            if each.get("name") in found and total:
                found[each["name"]] = min(1.0, done / total)
    return found


class IndexBuilder:
    """Builds the indexes of large collections in the background, in one process at a time.

    A build may take hours. It runs on a connection without a socket timeout; when it fails, it is
    tried again.
    """

    def __init__(self, connect: Callable[[], MongoClient[Any]], database: str) -> None:
        self._connect = connect
        self._database = database
        self._lock = threading.Lock()
        self._work: dict[str, tuple[Sequence[pymongo.IndexModel], Callable[[], object]]] = {}
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def add(
        self, collection: str, models: Sequence[pymongo.IndexModel], then: Callable[[], object]
    ) -> None:
        """Build the indexes of a collection soon, and call `then` when they serve."""
        with self._lock:
            self._work[collection] = (models, then)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="index-builder", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop waiting for builds; the server finishes those it has begun."""
        self._stopping.set()

    def join(self, seconds: float) -> bool:
        """Wait until no build is left, and return whether that came true in time."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        client = self._connect()
        database = client[self._database]
        lease = Lease(database, "index builder", seconds=_LEASE_SECONDS)
        try:
            while not self._stopping.is_set():
                with self._lock:
                    if not self._work:
                        self._thread = None
                        return
                    name, (models, then) = next(iter(self._work.items()))
                try:
                    if not lease.acquire():
                        self._stopping.wait(1.0)
                        continue
                    self._build(database[name], models, lease)
                    then()
                except failures.PyMongoError as error:
                    _log.warning("the indexes of %s are not built yet: %s", name, error)
                    self._stopping.wait(_RETRY_SECONDS)
                    continue
                with self._lock:
                    if self._work.get(name, (None,))[0] is models:
                        del self._work[name]
            lease.release()
        finally:
            client.close()

    def _build(
        self, collection: Collection[Bson], models: Sequence[pymongo.IndexModel], lease: Lease
    ) -> None:
        """Build what is missing by now, and keep the lease meanwhile."""
        ready = states(collection).ready
        missing = [model for model in models if name_of(model) not in ready]
        if not missing:
            return
        names = ", ".join(map(name_of, missing))
        _log.warning("building indexes of %s: %s", collection.name, names)
        done = threading.Event()

        def keep() -> None:
            while not done.wait(_LEASE_SECONDS / 4):
                lease.acquire()

        keeper = threading.Thread(target=keep, name="index-builder-lease", daemon=True)
        keeper.start()
        try:
            collection.create_indexes(missing)
        finally:
            done.set()
            keeper.join()
        _log.warning("built indexes of %s: %s", collection.name, names)


def _field(index: Index, path: Path) -> str:
    return field(path) + (INSTANT_SUFFIX if path in index.instants else "")
