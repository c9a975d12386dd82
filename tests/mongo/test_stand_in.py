"""FerretDB as the tests build it: it finds by its indexes, and finds the same as without."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from tests.mongo.emulation import FerretStore
from tests.mongo.running import own_ferret_server

Found = list[Any]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with own_ferret_server() as server:
        yield f"{server.url}standin"


@pytest.fixture(scope="module")
def mixed(url: str) -> Iterator[Collection[Any]]:
    client: MongoClient[Any] = MongoClient(url)
    found = client.get_default_database()["mixed"]
    found.create_index("p")
    found.insert_many(
        [
            {"_id": 9, "p": True, "v": 1},
            {"_id": 10, "p": [False, True], "v": 2},
            {"_id": 100, "p": False, "v": 1},
            {"_id": 2**40, "p": "true", "v": 1},
            {"_id": "10", "p": 1, "v": 1},
            {"_id": 'it\'s "a" $x', "v": 1},
        ]
    )
    yield found
    client.close()


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"_id": "10", "v": 1}, ["10"]),
        ({"_id": "10", "v": 2}, []),
        ({"_id": 'it\'s "a" $x', "v": 1}, ['it\'s "a" $x']),
        ({"_id": 10, "v": 2}, [10]),
        ({"p": True}, [9, 10]),
        ({"p": False}, [10, 100]),
        ({"p": True, "v": 1}, [9]),
        ({"_id": {"$gt": 9}}, [10, 100, 2**40]),
        ({"_id": {"$gte": 9}, "v": 1}, [9, 100, 2**40]),
        ({"_id": {"$gt": 9, "$lt": 100}}, [10]),
        ({"$and": [{"v": 1}, {"$and": [{"p": True}, {}]}]}, [9]),
        ({"$and": [{"_id": "10"}, {"v": 2}]}, []),
        ({"$or": [{"p": True}, {"_id": "10"}]}, [9, 10, "10"]),
        ({"$nor": [{"p": True}, {"_id": "10"}]}, [100, 2**40, 'it\'s "a" $x']),
        ({"_id": {"$gt": "1"}}, ["10", 'it\'s "a" $x']),
    ],
)
def test_what_is_passed_over_does_not_match(mixed: Collection[Any], where: Any, ids: Found) -> None:
    assert [each["_id"] for each in mixed.find(where, sort=[("_id", 1)])] == ids


@pytest.mark.parametrize(
    ("where", "direction", "limit", "ids"),
    [
        ({}, 1, 3, [9, 10, 100]),
        ({}, -1, 1, ['it\'s "a" $x']),
        ({"_id": {"$gt": 9}}, 1, 2, [10, 100]),
        ({"_id": {"$gt": 9}}, -1, 2, [2**40, 100]),
        ({"_id": {"$gt": 9}, "v": 1}, 1, 1, [100]),
        ({"p": True}, -1, 1, [10]),
    ],
)
def test_an_order_by_id_stops_at_the_limit(
    mixed: Collection[Any], where: Any, direction: int, limit: int, ids: Found
) -> None:
    rows = mixed.find(where, sort=[("_id", direction)], limit=limit)
    assert [each["_id"] for each in rows] == ids


def test_a_change_costs_the_same_in_a_large_collection(url: str) -> None:
    """All of these, the log's too, once read every document that there is."""
    client: MongoClient[Any] = MongoClient(url)
    store = FerretStore(url)
    store.prepare("large", ())

    def seconds(round: int) -> float:
        def change(number: int) -> Callable[[], object]:
            id = f"{round}-{number}"

            def made() -> object:
                store.insert("large", id, b"{}", events=[b"{}"])
                store.replace("large", id, b"{}", version=1, events=[b"{}"])
                store.delete("large", id, version=2, events=[b"{}"])
                return store.events(store.last_event() - 1, 10)

            return made

        return statistics.median(_seconds(change(number)) for number in range(15))

    small = seconds(0)
    database = client.get_default_database()
    rows = [{"_id": f"x{each}", "v": 1, "n": each, "d": {"a": ["b"] * 9}} for each in range(3000)]
    database["large"].insert_many(rows)
    last = store.last_event()
    database["events.log"].insert_many(
        [{"_id": last + each, "k": str(each), "c": "{}"} for each in range(1, 3001)]
    )
    assert seconds(1) < 4 * small + 0.02  # 20 times as long without
    store.close()
    client.close()


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
