"""Memory stays flat and nothing fails under load."""

from __future__ import annotations

import subprocess
import sys

import pytest


def soaked(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.bench.soak", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_half_a_minute_of_full_load_leaves_memory_as_it_was() -> None:
    assert "errors      0" in soaked("--minutes", "0.5")


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_requests_leave_memory_as_it_was() -> None:
    print(soaked("--minutes", "60", "--requests", "1000000"))
