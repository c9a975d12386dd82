"""`make bench-moving`: whether one mover logs events as fast as a server on MongoDB causes them.

Events wait in the envelopes of their documents until they are moved into the log, by one process at
a time. Three rates are measured, each in a database that is removed after: that of POST without
delivery, that of the mover alone, and both together; how soon an event is delivered when nothing
else happens; and how long probes take while many events wait and are moved.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import Any

import httpx
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.uri_parser import parse_uri

from app.settings import OPENAPI_FOLDER
from storage.mongo import MongoStore
from storage.mongo.envelope import encode
from storage.mongo.event_log import nested, pending
from tests.app.events.receiver import receiving
from tests.bench.events import SETTINGS, register, sink
from tests.bench.http import BODY, CONNECTIONS, measure
from tests.server import Server, running_server

COLLECTION = "partyInteraction/partyInteraction"
SPEC = OPENAPI_FOLDER / "tmf683-v4.0.0.yaml"
STOCK = 5_000
MOST_SECONDS_BEHIND = 2.0
"""A mover keeps up when the events that wait at the end of the writes are moved in this time."""

SINGLES = 30
PAUSE = 0.3
"""Seconds between events that are at rest."""
MOST_MILLISECONDS_AT_REST = 100.0

WAITING = 100_000
PROBES = 200
BETWEEN_PROBES = 0.05
MOST_MILLISECONDS_OF_PROBES = 50.0
JSON = {"Content-Type": "application/json"}


class WithoutMover(MongoStore):
    """A store whose writes leave their events where they are, until the log is read."""

    def _move_in_background(self) -> None:
        pass


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """Give the URL of a database of its own at the same server, and remove it after."""
    name = f"bench{uuid.uuid4().hex[:10]}"
    place, question, options = url.partition("?")
    scheme, _, rest = place.partition("://")
    own = f"{scheme}://{rest.partition('/')[0]}/{name}{question}{options}"
    try:
        yield own
    finally:
        client: MongoClient[dict[str, Any]] = MongoClient(own)
        client.drop_database(name)
        client.close()


def writes(server: Server, seconds: float) -> float:
    """Return POSTs a second."""
    return measure("POST", f"{server.base_url}/partyInteraction", 201, BODY, seconds)


def writes_alone(url: str, seconds: float) -> float:
    """Return POSTs a second where nothing is delivered."""
    with own_database(url) as own, running_server(SPEC, store=own, env=_delivery("off")) as server:
        register(server, "http://127.0.0.1:9/")
        return writes(server, seconds)


def mover_alone(url: str, stock: int) -> float:
    """Return events a second that are moved while nothing is written."""
    with own_database(url) as own:
        store = WithoutMover(own)
        store.prepare("things", ())
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for done in [
                pool.submit(store.insert, "things", str(number), BODY, events=[BODY])
                for number in range(stock)
            ]:
                done.result()
        begin = time.perf_counter()
        moved = store.last_event()
        spent = time.perf_counter() - begin
        store.close()
    if moved != stock:
        raise SystemExit(f"{moved} of {stock} events are in the log")
    return moved / spent


def together(url: str, seconds: float) -> float:
    """Write and deliver at once; return the seconds that the mover is behind at the end."""
    with (
        own_database(url) as own,
        sink() as target,
        running_server(SPEC, store=own, env=_delivery("server")) as server,
    ):
        found = collection_of(own)
        register(server, target.url)
        writes(server, 1.0)
        _seconds_until_moved(found)  # the delivery process has begun
        rate = writes(server, seconds)
        waiting = _waiting(found)
        behind = _seconds_until_moved(found)
        found.database.client.close()
    print(f"together: {rate:.0f} POST a second; at their end {waiting} events waited, ", end="")
    print(f"moved in {behind:.1f} s", flush=True)
    return behind


def at_rest(url: str) -> float:
    """Print how soon single events are delivered, and return the median in milliseconds."""
    with (
        own_database(url) as own,
        receiving() as receiver,
        running_server(SPEC, store=own, env=_delivery("server")) as server,
        httpx.Client(base_url=server.base_url, trust_env=False) as client,
    ):
        register(server, receiver.url())
        client.post("/partyInteraction", content=BODY, headers=JSON)
        receiver.wait(lambda: len(receiver.got) == 1)  # the delivery process has begun
        taken = []
        for number in range(SINGLES):
            time.sleep(PAUSE)
            client.post("/partyInteraction", content=BODY, headers=JSON)
            answered = time.time()
            receiver.wait(lambda wanted=number + 2: len(receiver.got) == wanted)
            taken.append(max(0.0, receiver.got[-1].at - answered) * 1000)
    median = statistics.median(taken)
    print(f"at rest: delivered {median:.0f} ms after the answer (median of {SINGLES}, ", end="")
    print(f"{max(taken):.0f} ms at most)", flush=True)
    return median


def probes(url: str, waiting: int) -> float:
    """Print how long probes take while events wait, and return that of one of a hundred in ms."""
    with own_database(url) as own:
        MongoStore(own).close()  # the indexes by which events are found
        found, content, taken = collection_of(own), encode(json.loads(BODY)), []
        for first in range(0, waiting, 1000):  # as writes leave them, many at once
            found.insert_many(
                {"_id": str(number), "v": 1, "n": number, "f": "", "d": content}
                | nested(pending([BODY], 1))
                for number in range(first, min(first + 1000, waiting))
            )
        with (
            running_server(SPEC, store=own, env=_delivery("server")) as server,
            httpx.Client(trust_env=False) as client,
        ):
            at_start = _waiting(found)
            for _ in range(PROBES):
                begin = time.perf_counter()
                client.get(f"{server.url}/health/ready").raise_for_status()
                taken.append((time.perf_counter() - begin) * 1000)
                time.sleep(BETWEEN_PROBES)
            at_end = _waiting(found)
        _wait_until_nothing_moves(found)
        found.database.client.close()
    taken.sort()
    slow = taken[PROBES * 99 // 100]
    print(
        f"probes: {statistics.median(taken):.1f} ms (median of {PROBES}; one of a hundred ", end=""
    )
    print(f"{slow:.1f}, {taken[-1]:.1f} at most) while events waited: ", end="")
    print(f"{at_start:,} at their beginning, {at_end:,} at their end", flush=True)
    return slow


def collection_of(url: str) -> Collection[dict[str, Any]]:
    """Return the collection of interactions in a database."""
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    return client[parse_uri(url)["database"]][COLLECTION.replace("/", ".")]


def _delivery(which: str) -> dict[str, str]:
    return {**SETTINGS, "TMF_DELIVERY": which, "TMF_ACCESS_LOG": "false"}


def _waiting(found: Collection[dict[str, Any]]) -> int:
    return found.count_documents({"p": True})


def _wait_until_nothing_moves(found: Collection[dict[str, Any]]) -> None:
    """Wait until the database has finished what a server asked of it before it ended."""
    left = None
    while (now := _waiting(found)) != left:
        left = now
        time.sleep(1.0)


def _seconds_until_moved(found: Collection[dict[str, Any]]) -> float:
    begin = time.perf_counter()
    while _waiting(found):
        time.sleep(0.1)
    return time.perf_counter() - begin


def main() -> int:
    """Measure, print, and fail when the mover is slower than the writes, or something is late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", required=True, help="a MongoDB's URL; its database is not used")
    parser.add_argument("--seconds", type=float, default=10.0, help="of writing")
    parser.add_argument("--stock", type=int, default=STOCK, help="events for the mover alone")
    parser.add_argument("--waiting", type=int, default=WAITING, help="events during probes")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},", end=""
    )
    print(f" {date.today()}; one worker, {CONNECTIONS} connections")
    rate = writes_alone(options.store, options.seconds)
    print(f"alone: {rate:.0f} POST a second", flush=True)
    moved = mover_alone(options.store, options.stock)
    print(f"alone: {moved:.0f} events a second moved by one mover", flush=True)
    behind = together(options.store, options.seconds)
    late = at_rest(options.store) > MOST_MILLISECONDS_AT_REST
    slow = probes(options.store, options.waiting) > MOST_MILLISECONDS_OF_PROBES
    return int(moved < rate or behind > MOST_SECONDS_BEHIND or late or slow)


if __name__ == "__main__":
    sys.exit(main())
