"""The state of a MongoDB store, read without changing it."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import errors as failures
from pymongo.collection import Collection
from pymongo.database import Database

from storage.diagnosis import Check, State, index_check, size_check
from storage.mongo import indexes as index_builds
from storage.mongo.envelope import DELETED, PENDING, Bson
from storage.mongo.event_log import KEY_INDEX, LOG
from storage.mongo.failures import first_line, translated
from storage.mongo.store import MongoStore
from storage.port import Index

_OLDEST = (5, 0)
"""The oldest release of MongoDB that the adapter is meant for."""
_SKEW_SECONDS = 5.0
_MANY_WAITING = 10_000
_LARGEST_SHOWN = 3


def diagnose(
    url: str, wanted: Mapping[str, Sequence[Index]], *, seconds: float, selection_seconds: float
) -> Iterator[Check]:
    """Yield what is found on a server; `wanted` are the indexes of each collection.

    One question may take `seconds`, and a server has `selection_seconds` to be there.

    Raises:
        StoreError: it cannot be reached.
    """
    store = MongoStore(url, query_seconds=seconds, selection_seconds=selection_seconds)
    try:
        with translated():
            database = store.database
            hello = _hello(database)
            yield _server(database)
            yield _topology(hello)
            yield _clock(database)
            yield _write_concern(database)
            yield from _contents(database, wanted, round(seconds * 1000))
    finally:
        store.close()


def _hello(database: Database[Bson]) -> Bson:
    answer: Bson = database.client.admin.command("hello")
    return answer


def _server(database: Database[Bson]) -> Check:
    version = str(database.client.server_info()["version"])
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < _OLDEST:
        text = f"MongoDB {version} is older than {'.'.join(map(str, _OLDEST))}: upgrade it"
        return Check("server", State.WARNING, text)
    return Check("server", State.OK, f"MongoDB {version}")


def _topology(hello: Bson) -> Check:
    if hello.get("msg") == "isdbgrid":
        return Check("topology", State.OK, "a sharded cluster")
    if "setName" in hello:
        hosts = len(hello.get("hosts", ()))
        members = "member that keeps" if hosts == 1 else "members that keep"
        text = f"the replica set {hello['setName']} with {hosts} {members} data"
        if hosts < 3:
            return Check("topology", State.WARNING, f"{text}: three survive the loss of one")
        return Check("topology", State.OK, text)
    return Check("topology", State.WARNING, "a single server: what it loses is lost")


def _clock(database: Database[Bson]) -> Check:
    before = time.time()
    told = _hello(database).get("localTime")
    after = time.time()
    if not isinstance(told, datetime):
        return Check("clock", State.WARNING, "the server does not tell its time")
    aware = told if told.tzinfo else told.replace(tzinfo=UTC)
    skew = aware.timestamp() - (before + after) / 2
    if abs(skew) <= _SKEW_SECONDS + (after - before) / 2:
        return Check("clock", State.OK, f"{abs(skew):.1f} s apart from this machine's")
    text = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's: run NTP"
    return Check("clock", State.WARNING, text)


def _write_concern(database: Database[Bson]) -> Check:
    concern = database.write_concern.document
    text = ", ".join(f"{name} {value}" for name, value in sorted(concern.items()))
    majority = concern.get("w") == "majority" and concern.get("j") is not False
    if majority:
        return Check("writes", State.OK, f"wait for {text}")
    return Check("writes", State.WARNING, f"wait for {text}: a failover may lose what was answered")


def _log(log: Collection[Bson], waiting: int, milliseconds: int) -> Check:
    logged = log.estimated_document_count(maxTimeMS=milliseconds)
    text = f"{waiting:,} events wait in documents, {logged:,} are logged"
    states = index_builds.states(log)
    name = index_builds.name_of(KEY_INDEX)
    if name in states.building:
        return Check("log", State.WARNING, f"{text}; its unique index is being built")
    if logged and name not in states.ready:
        return Check(
            "log", State.PROBLEM, f"{text}; its unique index is missing, `tmf683 serve` builds it"
        )
    return Check("log", State.WARNING if waiting > _MANY_WAITING else State.OK, text)


def _contents(
    database: Database[Bson], wanted: Mapping[str, Sequence[Index]], milliseconds: int
) -> Iterator[Check]:
    waiting = ghosts = 0
    largest: list[tuple[str, str, int]] = []
    unmeasured = ""
    for collection, indexes in wanted.items():
        found = database[collection.replace("/", ".")]
        states = index_builds.states(found)
        if indexes:
            building = index_builds.progress(found) if states.building else {}
            yield index_check(collection, indexes, states.ready, building)
        count: Any = {"maxTimeMS": milliseconds}
        ghosts += found.count_documents({DELETED: True, PENDING: None}, **count)
        waiting += found.count_documents({PENDING: True}, **count)
        try:
            rows = found.aggregate(
                [
                    {"$project": {"size": {"$bsonSize": "$$ROOT"}}},
                    {"$sort": {"size": -1}},
                    {"$limit": _LARGEST_SHOWN},
                ],
                maxTimeMS=milliseconds,
                allowDiskUse=True,
            )
            largest += [(collection, str(row["_id"]), int(row["size"])) for row in rows]
        except failures.OperationFailure as error:  # too many for the time, or no $bsonSize
            unmeasured = f"{collection} was not measured: {first_line(error)}"
    if ghosts:
        text = f"{ghosts} tombstones without events; the next start of a server removes them"
        yield Check("ghosts", State.PROBLEM, text)
    else:
        yield Check("ghosts", State.OK, "no tombstones without events")
    yield _log(database[LOG], waiting, milliseconds)
    if unmeasured:
        yield Check("documents", State.WARNING, unmeasured)
    else:
        yield size_check(heapq.nlargest(_LARGEST_SHOWN, largest, key=lambda each: each[2]))
