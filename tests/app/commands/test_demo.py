"""`make demo`: a server to look at, which leaves nothing behind."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.maintenance.new_resource import NewResource, ended
from tests.server import clean_environment, eventually, free_port


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run the command; yield its process and the addresses that it prints."""
    command = [str(Path(sys.executable).with_name("tmf683")), "demo", "--customers", "3", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment({"TMPDIR": str(folder), "TMF_ROOT_PATH": "/ignored"}),
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("Ctrl-C"):
                break
        try:
            yield (
                process,
                dict(re.split(r"  +", line, maxsplit=1) for line in lines if "  " in line),
            )
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_serves_history_and_events_and_removes_its_store(
    tmp_path: Path, number: signal.Signals
) -> None:
    with demo(tmp_path, "--port", "0") as (process, printed):
        url = printed["API"]
        origin = url.partition("/tmf-api")[0]
        assert printed["Timeline"] == f"{origin}/timeline"
        assert int(httpx.get(url).headers["X-Total-Count"]) > 10
        assert [*tmp_path.glob("tmf683-demo-*/demo.db")]

        def parked() -> bool:
            parked: int = httpx.get(f"{origin}/health/ready").json()["events"]["parked"]
            return parked > 0

        assert eventually(parked)
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read().endswith("stopped, and the store removed\n")
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = str(taken.getsockname()[1])
        with demo(tmp_path, "--port", port) as (process, _):
            assert process.wait(60) == 2
    assert not [*tmp_path.iterdir()]


def test_a_resource_that_ends_now_is_moved_and_shortened() -> None:
    body = {"a": "2026-01-01T10:00:00.000Z", "b": [{"c": "2026-01-01T10:05:00.000Z"}], "d": "text"}
    moment = datetime(2026, 6, 1, 12, tzinfo=UTC)
    new = NewResource("1", "2026-01-01T10:00:00.000Z", body)
    moved = ended(new, moment, timedelta(hours=1))
    assert moved.body == {
        "a": "2026-06-01T11:55:00.000Z",
        "b": [{"c": "2026-06-01T12:00:00.000Z"}],
        "d": "text",
    }
    assert moved.time == "2026-06-01T11:55:00.000Z"
    assert ended(new, moment, timedelta(seconds=10)).time == "2026-06-01T11:59:50.000Z"
