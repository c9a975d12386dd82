"""The real server as a subprocess, for tests that speak HTTP to it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.events.outbound.processes import DeliveryProcess

START_SECONDS = 120
STOP_SECONDS = 120
"""Deadlines for a busy machine; the server itself gives requests in flight 30 s."""


@dataclass(frozen=True)
class Server:
    """A server that answers.

    `url` is its origin, `base_urls` the base of each contract, all without trailing slash;
    `process` is gunicorn's master, alone in its process group with its workers.
    """

    url: str
    base_urls: tuple[str, ...]
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def base_url(self) -> str:
        """The base of the first contract."""
        return self.base_urls[0]

    def log(self) -> str:
        """Return what the server has written so far."""
        return self.log_file.read_text(errors="replace")


@contextmanager
def running_server(
    *specs: Path,
    store: str | None = None,
    profile: str = "conformance",
    workers: int = 1,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run `tmf683 serve` on a free port until the block ends; SIGTERM ends it.

    Without `specs` the server's default contracts are served, without `store` a temporary SQLite
    file. The environment is the caller's without its `TMF_*` variables, plus `env`. When the
    block fails, or the server does not start or stop as it should, its log is printed.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="tmf683-") as name:
        folder = Path(name)
        command = [str(Path(sys.executable).with_name("tmf683")), "serve"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
        command += ["--profile", profile, "--store", store or f"sqlite:///{folder}/test.db"]
        for spec in specs:
            command += ["--spec", str(spec.resolve())]
        log_file = folder / "server.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                command,
                env=clean_environment(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            try:
                _wait_until_ready(process, url)
                prefix = (env or {}).get("TMF_ROOT_PATH", "")
                yield Server(url, _base_urls(url, prefix), process, log_file)
            finally:
                _stop(process)
        except BaseException:
            print(f"--- log of {' '.join(command)}")
            print(log_file.read_text(errors="replace"))
            raise


def eventually(wanted: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait until a condition holds; return whether it did before the deadline."""
    end = time.monotonic() + seconds
    while not wanted():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def family_of(pid: int) -> list[int]:
    """Return a process and its descendants: of a server, its workers and the delivery process."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(child) for child in children.read_text().split()]
    return found


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without `TMF_*`, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TMF_")}
    if "COVERAGE_PROCESS_CONFIG" in kept:
        kept["PYTHONPATH"] = str(Path(__file__).with_name("coverage_support"))
    return {**kept, "PYTHONUNBUFFERED": "1", **(extra or {})}


def is_delivery(pid: int) -> bool:
    """Whether a process delivers events beside a server."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() == DeliveryProcess.NAME
    return False


def free_port() -> int:
    """Return a port nobody listens on, below the range that outgoing connections use."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.monotonic() < end:
            if process.poll() is not None:
                raise RuntimeError(f"the server stopped with code {process.returncode}")
            try:
                if client.get(f"{url}/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise RuntimeError(f"the server was not ready within {START_SECONDS} seconds")


def _base_urls(url: str, prefix: str) -> tuple[str, ...]:
    links = httpx.get(f"{url}{prefix}/", trust_env=False).raise_for_status().json()["_links"]
    # The path alone: the links may name a public host.
    paths = (httpx.URL(link["href"]).path for link in links.values())
    return tuple(url + path.rstrip("/") for path in paths)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server as an operator would; a test may have ended it before."""
    stopped_before = process.poll() is not None
    if not stopped_before:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        stopped_before = True
        raise RuntimeError(f"the server did not stop within {STOP_SECONDS} seconds") from None
    finally:
        if stopped_before:
            _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
