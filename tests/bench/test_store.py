"""The benchmark of stores works; what it measures is another matter."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest
from pymongo import MongoClient

from storage import Query
from tests.bench import store, store_check
from tests.bench.shapes import Shape
from tests.mongo.running import own_ferret_server

pytestmark = pytest.mark.slow


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench.store", "--seconds", "0.1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_benchmark_of_stores_prints_its_table() -> None:
    done = bench("--documents", "200", "400")
    assert "cursor, page 10,000 or last" in done.stdout, done.stderr
    assert "at 400: all, total: " in done.stderr


def test_the_benchmark_leaves_nothing_in_a_mongodb(mongo: str) -> None:
    url = f"{mongo}bench{uuid.uuid4().hex[:8]}"
    done = bench("--documents", "40", "--store", url)
    assert "cursor, page 10,000 or last" in done.stdout, done.stderr
    explained = done.stdout.partition("examined")[2]
    assert "sorted -creationDate  " in explained
    assert "sorted -id  " in explained
    client: MongoClient[object] = MongoClient(url)
    names = client.get_default_database().list_collection_names()
    assert [name for name in names if name.startswith("bench")] == []
    client.close()


def test_a_server_without_figures_is_said_to_have_none() -> None:
    with own_ferret_server() as server:
        done = bench("--documents", "40", "--store", f"{server.url}bench")
    assert "FerretDB does not say what a query examines" in done.stdout, done.stderr
    assert "cursor, page 10,000 or last" in done.stdout


def test_the_benchmark_fills_no_sqlite_file_that_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--store", "sqlite:///data/tmf683.db"])
    with pytest.raises(SystemExit):
        store.main()
    assert "takes a mongodb:// URL" in capsys.readouterr().err


@pytest.mark.slow
def test_no_indexed_query_grows_with_the_collection() -> None:
    assert [each for each in store_check.counts() if each.is_linear and not each.shape.grows] == []


def test_the_check_sees_a_query_that_reads_everything() -> None:
    assert store_check.Count(Shape("", Query()), 20_000, 160_000).is_linear
    assert not store_check.Count(Shape("", Query()), 400, 420).is_linear
