"""The benchmark of stores works; what it measures is another matter."""

from __future__ import annotations

import subprocess
import sys


def test_the_benchmark_of_stores_prints_its_table() -> None:
    command = [sys.executable, "-m", "tests.bench.store", "--documents", "200", "400"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "cursor, page 10,000 or last" in done.stdout, done.stderr
