"""The benchmark of stores works; what it measures is another matter."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest
from pymongo import MongoClient

from tests.bench import store


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench.store", "--seconds", "0.1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_benchmark_of_stores_prints_its_table() -> None:
    done = bench("--documents", "200", "400")
    assert "cursor, page 10,000 or last" in done.stdout, done.stderr
    assert "measuring at 400: count of all" in done.stderr


def test_the_benchmark_leaves_nothing_in_a_mongodb(mongo: str) -> None:
    url = f"{mongo}bench{uuid.uuid4().hex[:8]}"
    done = bench("--documents", "40", "80", "--store", url)
    assert "cursor, page 10,000 or last" in done.stdout, done.stderr
    client: MongoClient[object] = MongoClient(url)
    names = client.get_default_database().list_collection_names()
    assert [name for name in names if name.startswith("bench")] == []
    client.close()


def test_the_benchmark_fills_no_sqlite_file_that_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--store", "sqlite:///data/tmf683.db"])
    with pytest.raises(SystemExit):
        store.main()
    assert "takes a mongodb:// URL" in capsys.readouterr().err
