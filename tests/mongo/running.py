"""MongoDB servers for the tests: a given one, a local mongod, or a stand-in.

SecantusDB stands in for `mongod` wherever a server is needed: it has atomic changes, indexes and
computed fields. Its licence is the GPL, so it is installed into an environment of its own and runs
as a process of its own. FerretDB, built from its Go module, is used through
`tests.mongo.emulation` only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymongo
import pytest

from tests.mongo.building import built
from tests.server import free_port

SECANTUS = "SecantusDB==0.7.0b3"
_ENVIRONMENT = Path(__file__).parents[2] / "build" / "secantusdb"
_NOTHING = "no MongoDB: set TMF_TEST_MONGODB_URI, install mongod, or let pip install " + SECANTUS


@dataclass
class MongoServer:
    """A server that can be killed and started again on the same data; `url` ends in a slash."""

    url: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
            self.url, serverSelectionTimeoutMS=30_000
        )
        client.admin.command("ping")
        client.close()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def own_mongo_server() -> Iterator[MongoServer]:
    """Run a server of the test's own; skip, saying what to install, where there is none."""
    with _running(_command) as server:
        yield server


@contextmanager
def own_ferret_server() -> Iterator[MongoServer]:
    """Run FerretDB; skip, saying what to install, where it cannot be built."""
    with _running(_ferret_command) as server:
        yield server


@contextmanager
def mongo_url() -> Iterator[str]:
    """Give the URL of a server to use; `TMF_TEST_MONGODB_URI` comes before one of our own."""
    given = os.environ.get("TMF_TEST_MONGODB_URI")
    if given:
        yield given.rstrip("/") + "/"
        return
    with own_mongo_server() as server:
        yield server.url


@contextmanager
def _running(command: Callable[[int, str], list[str]]) -> Iterator[MongoServer]:
    with tempfile.TemporaryDirectory(prefix="tmf683-mongo-") as folder:
        port = free_port()
        server = MongoServer(f"mongodb://127.0.0.1:{port}/", command(port, folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _command(port: int, folder: str) -> list[str]:
    if shutil.which("mongod"):
        return ["mongod", "--port", str(port), "--dbpath", folder, "--bind_ip", "127.0.0.1"]
    options = ["--storage-path", folder, "--cache-size", "256M", "--log-level", "ERROR"]
    return [str(_secantus()), "--port", str(port), *options]


def _ferret_command(port: int, folder: str) -> list[str]:
    return [str(built()), "--listen", f"127.0.0.1:{port}", "--dir", folder]


def _secantus() -> Path:
    """Return SecantusDB's server program, installed once into an environment of its own."""
    program = _ENVIRONMENT / "bin" / "secantusd-py"
    stamp = _ENVIRONMENT / SECANTUS
    _ENVIRONMENT.parent.mkdir(exist_ok=True)
    with (_ENVIRONMENT.parent / "secantusdb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes run side by side
        if not stamp.exists():
            shutil.rmtree(_ENVIRONMENT, ignore_errors=True)
            venv.create(_ENVIRONMENT, with_pip=True)
            pip = [str(_ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "-q", SECANTUS]
            if subprocess.run(pip, check=False).returncode:
                pytest.skip(_NOTHING)
            stamp.touch()
    return program
