"""What the engines that stand in for MongoDB do otherwise, by name: each is expected to fail.

One that no longer fails is an engine that was mended: its test says so, and what the adapter's
tests do about it may go.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from tests.mongo.running import own_ferret_server, own_mongo_server

Found = Collection[dict[str, Any]]


def or_within_elem_match(found: Found) -> bool:
    """`$or` directly inside `$elemMatch`."""
    found.insert_one({"_id": 1, "a": [{"b": 1}]})
    return bool(found.find_one({"a": {"$elemMatch": {"$or": [{"b": 1}, {"b": 2}]}}}))


def conditions_within_elem_match(found: Found) -> bool:
    """`$elemMatch` with a condition on an attribute."""
    found.insert_one({"_id": 1, "a": [{"b": 1}]})
    return bool(found.find_one({"a": {"$elemMatch": {"b": 1}}}))


def quoted_text_in_pattern(found: Found) -> bool:
    r"""`\Q…\E` in a regular expression, which the adapter rewrites."""
    found.insert_one({"_id": 1, "a": "x.y"})
    return bool(found.find_one({"a": {"$regex": r"^\Qx.y\E$"}}))


def look_behind(found: Found) -> bool:
    """Look-behind in a regular expression: what `(?m)^` is rewritten to."""
    found.insert_one({"_id": 1, "a": "x\ny"})
    return bool(found.find_one({"a": {"$regex": r"(?<=\n)y"}}))


def computed_fields(found: Found) -> bool:
    """Fields computed by `$cond` and `$type`, which some orders need."""
    found.insert_one({"_id": 1, "a": "x"})
    absent = {"$in": [{"$type": "$a"}, ["missing", "null"]]}
    rows = found.aggregate([{"$addFields": {"s": {"$cond": [absent, None, "$a"]}}}])
    return [row["s"] for row in rows] == ["x"]


def partial_indexes(found: Found) -> bool:
    """Indexes of a part of the documents."""
    found.create_index([("p", 1)], partialFilterExpression={"p": True})
    return len(found.index_information()) == 2


def sizes(found: Found) -> bool:
    """`$bsonSize`, by which the doctor finds large documents."""
    found.insert_one({"_id": 1})
    rows = found.aggregate([{"$project": {"size": {"$bsonSize": "$$ROOT"}}}])
    return all(row["size"] > 0 for row in rows)


def nested_arrays(found: Found) -> bool:
    """Arrays directly within arrays, which the adapter wraps."""
    found.insert_one({"_id": 1, "a": [[1]]})
    row = found.find_one()
    return row is not None and row["a"] == [[1]]


def explanations_that_stop_at_the_limit(found: Found) -> bool:
    """Explanations that count what is read, and not what matches."""
    found.insert_many([{"_id": number, "a": 1} for number in range(50)])
    command = {"explain": {"find": found.name, "filter": {}, "limit": 5}}
    answer = found.database.command({**command, "verbosity": "executionStats"})
    return bool(answer["executionStats"]["totalDocsExamined"] <= 5)


def plans_of_the_conditions_of_an_and(found: Found) -> bool:
    """An index for one of several conditions."""
    found.create_index([("a", 1)])
    found.insert_many([{"_id": number, "a": number} for number in range(50)])
    where = {"$and": [{"x": None}, {"a": 7}]}
    command = {"explain": {"find": found.name, "filter": where}}
    answer = found.database.command({**command, "verbosity": "executionStats"})
    return bool(answer["executionStats"]["totalDocsExamined"] <= 1)


SECANTUS = [
    or_within_elem_match,
    quoted_text_in_pattern,
    explanations_that_stop_at_the_limit,
    plans_of_the_conditions_of_an_and,
]
FERRET = [
    conditions_within_elem_match,
    look_behind,
    computed_fields,
    partial_indexes,
    sizes,
    nested_arrays,
]


@pytest.fixture(scope="module")
def secantus() -> Iterator[MongoClient[dict[str, Any]]]:
    if shutil.which("mongod"):
        pytest.skip("mongod is installed, and SecantusDB is not used")
    with own_mongo_server() as server:
        client: MongoClient[dict[str, Any]] = MongoClient(server.url)
        yield client
        client.close()


@pytest.fixture(scope="module")
def ferret() -> Iterator[MongoClient[dict[str, Any]]]:
    with own_ferret_server() as server:
        client: MongoClient[dict[str, Any]] = MongoClient(server.url)
        yield client
        client.close()


@pytest.mark.xfail(strict=True, reason="SecantusDB does otherwise")
@pytest.mark.parametrize("does", SECANTUS)
def test_secantus(secantus: MongoClient[dict[str, Any]], does: Callable[[Found], bool]) -> None:
    assert does(secantus["faults"][does.__name__])


@pytest.mark.xfail(strict=True, reason="FerretDB does otherwise")
@pytest.mark.parametrize("does", FERRET)
def test_ferret(ferret: MongoClient[dict[str, Any]], does: Callable[[Found], bool]) -> None:
    assert does(ferret["faults"][does.__name__])
