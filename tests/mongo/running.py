"""A MongoDB server for the tests: a given one, a local mongod, or FerretDB from its Go module."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pymongo

from tests.mongo.building import built
from tests.server import free_port


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
    with tempfile.TemporaryDirectory(prefix="tmf683-mongo-") as folder:
        port = free_port()
        server = MongoServer(f"mongodb://127.0.0.1:{port}/", _command(port, folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def mongo_url() -> Iterator[str]:
    """Give the URL of a server to use; `TMF_TEST_MONGODB_URI` comes before one of our own."""
    given = os.environ.get("TMF_TEST_MONGODB_URI")
    if given:
        yield given.rstrip("/") + "/"
        return
    with own_mongo_server() as server:
        yield server.url


def _command(port: int, folder: str) -> list[str]:
    if shutil.which("mongod"):
        return ["mongod", "--port", str(port), "--dbpath", folder, "--bind_ip", "127.0.0.1"]
    return [str(built()), "--listen", f"127.0.0.1:{port}", "--dir", folder]
