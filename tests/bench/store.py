"""`make bench-store`: what queries cost on a large collection, and how that grows with its size.

It works in a collection of its own and removes it, also when it is interrupted. On MongoDB it also
prints what each query examines for what it returns. What stands in for MongoDB in the tests reads
the whole collection for lists: its figures are printed, marked, and not judged. There, queries of
several conditions are left out, since they take as long as those of one.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pymongo import MongoClient

from app.bootstrap import open_contracts
from app.contract import Kind
from app.settings import OPENAPI_FOLDER, read_settings
from storage import Document, Index, Query, QueryTooSlow, Store, StoreLate, Window, open_store
from storage.mongo import MongoStore
from tests.bench.interactions import interaction
from tests.bench.plans import Plan, is_single, plans
from tests.bench.shapes import PAGE, shapes
from tests.mongo.emulation import FerretStore

SIZES = (10_000, 100_000, 1_000_000)
MEDIAN_LIMIT = 5.0
GROWTH_LIMIT = 2.0
NOISE = 0.2
"""Milliseconds below which a median is good whatever it is a multiple of."""

SAMPLES = 60
FEWEST_SAMPLES = 3

BY_ID = "get by id"

Case = Callable[[], object]


def load(store: Store, collection: str, total: int) -> float:
    """Fill a collection and return the seconds it took; tell of it every few seconds."""
    begin = told = time.perf_counter()
    for first in range(0, total, 1000):
        made = [interaction(number, total) for number in range(first, min(first + 1000, total))]
        store.insert_many(
            collection, [Document(str(each["id"]), 1, json.dumps(each).encode()) for each in made]
        )
        if time.perf_counter() - told > 5:
            told = time.perf_counter()
            print(f"loading: {first + 1000:,} of {total:,}", file=sys.stderr)
    return time.perf_counter() - begin


def cases(
    store: Store, collection: str, total: int, *, single: bool
) -> Iterator[tuple[str, str, Case]]:
    """Yield what is measured: its name, why its cost grows with the collection, and the call.

    With `single`, only what has one condition or order.
    """
    chance = random.Random(7)

    def find(query: Query) -> Case:
        return lambda: store.find(collection, query)

    yield BY_ID, "", lambda: store.get(collection, f"{chance.randrange(total):08d}")
    for shape in shapes(total):
        if is_single(shape.name) or not single:
            yield shape.name, shape.grows, find(shape.query)
    yield "cursor, page 1", "", find(Query(window=PAGE, count=False))
    deep = page_of(store, collection, min(10_000, total // 20 - 1))
    yield "cursor, page 10,000 or last", "", find(deep)


def page_of(store: Store, collection: str, number: int) -> Query:
    """Return the query of a page as followed cursors lead to it, taken in longer steps."""
    query, left = Query(window=PAGE, count=False), (number - 1) * PAGE.limit
    while left > 0:
        step = replace(query, window=Window(0, min(left, 1000)))
        query = replace(query, after=store.find(collection, step).end)
        left -= step.window.limit
    return query


def median_milliseconds(case: Case, seconds: float) -> float:
    """Return the median of some calls; infinity for what takes longer than a query may.

    The first call warms up; where it takes all of the time, it is the one that counts.
    """
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while len(samples) <= SAMPLES and (len(samples) <= FEWEST_SAMPLES or time.perf_counter() < end):
        begin = time.perf_counter()
        try:
            case()
        except (QueryTooSlow, StoreLate):
            return math.inf
        samples.append((time.perf_counter() - begin) * 1000)
        if len(samples) == 1 and time.perf_counter() > end:
            return samples[0]
    return statistics.median(samples[1:])


def opened(url: str) -> Store:
    """Open a store whose queries may take a minute; FerretDB with what it lacks of MongoDB."""
    if is_mongo(url):
        client: MongoClient[dict[str, object]] = MongoClient(url)
        about = client.admin.command("buildInfo")
        client.close()
        if "ferretdbVersion" in about:
            return FerretStore(url)
    return open_store(url, durability="normal", query_seconds=60)


@contextmanager
def prepared(url: str, total: int) -> Iterator[tuple[Store, str]]:
    """Open a store with one loaded collection, as the server would prepare it; remove it after."""
    settings = read_settings(spec=(OPENAPI_FOLDER / "tmf683-v4.0.0.yaml",))
    (contract,) = open_contracts(settings)
    (definition,) = (each.definition for each in contract.bindings if each.kind is Kind.LIST)
    store = opened(url)
    collection = f"bench{time.time_ns()}/{total}"
    try:
        if not is_mongo(url):
            store.prepare(collection, definition.indexes)
        seconds = load(store, collection, total)
        print(f"{total:,} loaded in {seconds:.0f} s, {total / seconds:,.0f} a second", flush=True)
        if is_mongo(url):  # entry by entry takes longer
            build(store, collection, definition.indexes)
        yield store, collection
    finally:
        store.close()
        if is_mongo(url):
            drop(url, collection)


def build(store: Store, collection: str, indexes: Sequence[Index]) -> None:
    """Build the indexes of a loaded collection, also where that happens in the background."""
    begin = time.perf_counter()
    store.prepare(collection, indexes)
    while not {each.name for each in indexes} <= store.indexes(collection):
        time.sleep(0.1)
    print(f"indexes built in {time.perf_counter() - begin:.0f} s", flush=True)


def is_mongo(url: str) -> bool:
    return url.startswith("mongodb")


def is_stand_in(store: Store) -> bool:
    """Whether a store is on FerretDB or SecantusDB."""
    if store.single_process or not isinstance(store, MongoStore):
        return True
    plan = store.database.command({"explain": {"find": "none"}, "verbosity": "queryPlanner"})
    return (plan.get("serverInfo") or {}).get("host") == "secantus"


def drop(url: str, collection: str) -> None:
    """Remove a collection at once, which is no part of the port."""
    client: MongoClient[dict[str, object]] = MongoClient(url)
    client.get_default_database("tmf683").drop_collection(collection.replace("/", "."))
    client.close()


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table; `judged` when an index is to serve it, and this store has indexes."""

    name: str
    medians: tuple[float, ...]
    judged: bool
    remark: str

    @property
    def growth(self) -> float:
        return self.medians[-1] / self.medians[0]

    @property
    def slow(self) -> bool:
        grown = self.growth > GROWTH_LIMIT and self.medians[-1] > NOISE
        return self.judged and (grown or self.medians[-1] > MEDIAN_LIMIT)


def measured(
    store_url: str | None, sizes: Sequence[int], seconds: float
) -> tuple[list[Row], list[Plan]]:
    """Return the medians of each case at every size, and the plans of MongoDB at the last one."""
    explained: list[Plan] = []
    medians: dict[str, list[float]] = {}
    remarks: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for total in sizes:
            url = store_url or f"sqlite:///{Path(folder) / str(total)}.db"
            with prepared(url, total) as (store, collection):
                stands_in = is_mongo(url) and is_stand_in(store)
                if isinstance(store, MongoStore) and total == sizes[-1]:
                    explained = explain(store, collection, total, judged=not stands_in)
                for name, grows, case in cases(store, collection, total, single=stands_in):
                    median = median_milliseconds(case, seconds)
                    print(f"at {total:,}: {name}: {median:.3f} ms", file=sys.stderr)
                    medians.setdefault(name, []).append(median)
                    remarks[name] = grows
                    if stands_in and name != BY_ID:
                        remarks[name] = "reads everything here: says nothing of MongoDB"
    rows = [
        Row(name, tuple(values), not remarks[name], remarks[name])
        for name, values in medians.items()
    ]
    return rows, explained


def explain(store: MongoStore, collection: str, total: int, *, judged: bool) -> list[Plan]:
    """Print what queries examine for a first page, and by which index."""
    found: list[Plan] = []
    if store.single_process:
        print("FerretDB does not say what a query examines: there are only times.")
        return found
    print(f"\n{'documents':48}{'examined':>9}{'returned':>9}{'ratio':>9}  index")
    for plan in plans(store, collection, total, judged=judged):
        print(plan, flush=True)
        found.append(plan)
    if not judged:
        print("This server is no MongoDB: it does not plan as one does, and nothing is judged.")
    return found


def main() -> int:
    """Measure every size, print a table, and fail when an indexed query is slow or grows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", help="a MongoDB's URL; a temporary SQLite file when left out")
    parser.add_argument("--documents", type=int, nargs="+", default=SIZES, help="ascending")
    parser.add_argument(
        "--seconds", type=float, default=5, help="for a case; slow ones get fewer samples"
    )
    options = parser.parse_args()
    if options.store and not is_mongo(options.store):
        parser.error("--store takes a mongodb:// URL; SQLite is measured on a file of its own")
    rows, explained = measured(options.store, options.documents, options.seconds)
    sizes = "".join(f"{size:>12,}" for size in options.documents)
    print(f"{platform.machine()}, Python {platform.python_version()}, {date.today()}; medians, ms")
    for title, part in (
        ("indexed", [row for row in rows if row.judged]),
        ("not indexed, and why", [row for row in rows if not row.judged]),
    ):
        print(f"\n{title:48}{sizes}{'growth':>9}")
        for row in part:
            times = "".join(f"{each:12.3f}" for each in row.medians)
            print(f"{row.name:48}{times}{row.growth:8.1f}x  {row.remark}".rstrip())
    slow = [row.name for row in rows if row.slow]
    if slow:
        print(f"too slow: {', '.join(slow)}", file=sys.stderr)
    unserved = [plan.name for plan in explained if plan.bad]
    if unserved:
        print(f"examine too much: {', '.join(unserved)}", file=sys.stderr)
    return int(bool(slow or unserved))


if __name__ == "__main__":
    sys.exit(main())
