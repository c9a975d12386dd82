"""Signals that reach a worker between its fork and its own handlers."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys
from queue import SimpleQueue
from types import SimpleNamespace
from app.server.gunicorn_server import ServerWorker, keep_inherited_signals

queue = SimpleQueue()
signal.signal(getattr(signal, sys.argv[1]), lambda number, _: queue.put(number))
worker = ServerWorker.__new__(ServerWorker)
keep_inherited_signals(SimpleNamespace(SIG_QUEUE=queue), worker)
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
worker.init_signals()
sys.exit(3)
"""


@pytest.mark.parametrize(
    ("name", "status"), [("SIGTERM", 0), ("SIGINT", 0), ("SIGQUIT", 0), ("SIGCHLD", 3)]
)
def test_a_worker_stops_when_told_before_its_handlers_are_set(name: str, status: int) -> None:
    command = [sys.executable, "-P", "-c", SCRIPT, name]
    assert subprocess.run(command, check=False, timeout=120).returncode == status
