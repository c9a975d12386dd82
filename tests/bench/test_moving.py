"""The benchmark of the mover works, and leaves nothing behind; its figures are another matter."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pymongo import MongoClient

pytestmark = pytest.mark.slow


def test_the_benchmark_of_the_mover_prints_its_rates(mongo: str) -> None:
    command = [sys.executable, "-m", "tests.bench.moving", "--seconds", "1", "--stock", "40"]
    done = subprocess.run(
        [*command, "--waiting", "1000", "--store", f"{mongo}?connectTimeoutMS=60000"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.count("POST a second") == 2, done.stderr
    assert "events a second moved by one mover" in done.stdout
    assert "events waited, moved in" in done.stdout
    assert "at rest: delivered " in done.stdout
    assert "events waited: 1,000 at their beginning" in done.stdout
    client: MongoClient[dict[str, object]] = MongoClient(mongo)
    assert [name for name in client.list_database_names() if name.startswith("bench")] == []
    client.close()
