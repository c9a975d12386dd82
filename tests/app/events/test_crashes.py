"""Servers and delivery killed at random under load: every acknowledged write is told, in order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from storage import open_store
from tests.app.events.receiver import Got, Receiver, receiving
from tests.conftest import OURS
from tests.http.conftest import MINIMAL
from tests.server import clean_environment, family_of, free_port

THREADS = 6
PATCHES = 6
SETTINGS = {
    "TMF_CALLBACK_ALLOW": "127.0.0.0/8",
    "TMF_DELIVERY_WAIT": "0.05",
    "TMF_DELIVERY_TIMEOUT": "2",
    "TMF_LEASE_SECONDS": "2",
    "TMF_DURABILITY": "normal",
    "TMF_BUSY_SECONDS": "20",
}
_CHANCE = random.Random(683)


@dataclass
class Process:
    """A server of ours that is started again when it has been killed."""

    store: str
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/tmf-api/partyInteraction/v4"

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("tmf683")), "serve", "--spec", str(OURS)]
        command += ["--port", str(self.port), "--store", self.store, "--workers", "1"]
        with (self.folder / f"{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=clean_environment(SETTINGS), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def family(self) -> list[int]:
        """Return the process and its descendants: workers, and the delivery beside them."""
        assert self.process is not None
        return family_of(self.process.pid)

    def kill_one(self) -> str:
        """Kill a random one of them; return which kind it was."""
        family = self.family()
        victim = _CHANCE.choice(family)
        kind = "server" if victim == family[0] else "child"
        os.kill(victim, signal.SIGKILL)
        if kind == "server":
            for pid in family[1:]:  # their father is gone: gunicorn's workers end by themselves
                with_suppressed(pid)
            assert self.process is not None
            self.process.wait()
            self.start()
        return kind

    def stop(self) -> None:
        for pid in self.family():
            with_suppressed(pid)
        if self.process:
            self.process.wait()


def with_suppressed(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@dataclass
class Story:
    """What a client did with one resource: what was acknowledged, in order."""

    id: str
    told: list[str] = field(default_factory=list)


class Clients:
    """Threads that create, patch and delete until enough was done."""

    def __init__(self, bases: list[str], operations: int) -> None:
        self._bases = bases
        self._left = operations
        self._lock = threading.Lock()
        self.stories: list[Story] = []
        self.attempted: set[str] = set()
        self.acknowledged = 0

    def run(self) -> None:
        threads = [threading.Thread(target=self._work, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _take(self, number: int) -> bool:
        with self._lock:
            self._left -= number
            return self._left > -number

    def _work(self, number: int) -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while self._take(PATCHES + 2):
                answer = None
                while answer is None:
                    reason = uuid.uuid4().hex  # who lost the answer does not know: another contact
                    self.attempted.add(reason)
                    answer = self._try(client, "POST", "", MINIMAL | {"reason": reason})
                story = Story(answer.json()["id"], ["Create"])
                for step in range(PATCHES):
                    while self._try(client, "PATCH", story.id, {"description": str(step)}) is None:
                        pass
                    story.told.append(str(step))
                while self._try(client, "DELETE", story.id, None) is None:
                    pass
                story.told.append("Delete")
                self.stories.append(story)

    def _try(
        self, client: httpx.Client, method: str, id: str, body: object
    ) -> httpx.Response | None:
        """Make a request of either server; None when nobody knows whether it was done."""
        url = f"{_CHANCE.choice(self._bases)}/partyInteraction/{id}".rstrip("/")
        try:
            answer = client.request(method, url, json=body)
        except httpx.HTTPError:
            time.sleep(0.05)
            return None
        if answer.status_code in (409, 503) and method != "POST":
            time.sleep(0.05)
            return None
        if method == "DELETE" and answer.status_code == 404:
            return answer  # it was done when the answer was lost
        assert answer.status_code < 300 or answer.status_code == 503, answer.text
        if answer.status_code == 503:
            return None
        with self._lock:
            self.acknowledged += 1
        return answer


@contextmanager
def two_servers(store: str, number: int) -> Iterator[list[Process]]:
    with tempfile.TemporaryDirectory(prefix="tmf683-") as name:
        servers = [Process(store, Path(name)) for _ in range(number)]
        for server in servers:
            server.start()
        try:
            for server in servers:
                wait_until_ready(server)
            yield servers
        except BaseException:
            for log in Path(name).glob("*.log"):
                print(log.read_text()[-5000:])
            raise
        finally:
            for server in servers:
                server.stop()


def wait_until_ready(server: Process) -> None:
    for _ in range(600):
        try:
            url = f"http://127.0.0.1:{server.port}/health/ready"
            if httpx.get(url, trust_env=False, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError("the server did not come up")


def survive(store: str, operations: int, kills: int, servers: int = 2) -> None:
    with receiving() as receiver, two_servers(store, servers) as processes:
        body = {"callback": receiver.url()}
        answer = httpx.post(f"{processes[0].base}/hub", json=body, trust_env=False, timeout=30)
        assert answer.status_code == 201, answer.text
        clients = Clients([each.base for each in processes], operations)
        work = threading.Thread(target=clients.run)
        work.start()
        killed: dict[str, int] = defaultdict(int)
        done = 0
        while work.is_alive():
            time.sleep(0.05)
            if done < kills and clients.acknowledged > (done + 1) * operations / (kills + 6):
                killed[_CHANCE.choice(processes).kill_one()] += 1
                done += 1
        assert done == kills, f"{done} kills, then the work was over"
        wanted = {story.id: story.told for story in clients.stories}
        total = sum(map(len, wanted.values()))
        assert receiver.wait(lambda: len(seen(receiver)) >= total, 120), (
            f"{len(seen(receiver))} of {total} events, killed: {dict(killed)}"
        )
        # Some of these are of writes whose answers were lost: the last ones may be on their way.
        receiver.wait(lambda: stories(receiver).items() >= wanted.items(), 120)
        told = stories(receiver)
        for id, story in wanted.items():
            assert told.get(id) == story, id
        assert {each.body["event"]["partyInteraction"]["reason"] for each in receiver.got} <= (
            clients.attempted
        ), "an event of a write that nobody made"


def servers_on(url: str) -> int:
    """Return how many servers write to a store: what stands in for MongoDB bears one."""
    store = open_store(url)
    try:
        return 1 if store.single_process else 2
    finally:
        store.close()


def seen(receiver: Receiver) -> set[str]:
    return {each.headers["webhook-id"] for each in list(receiver.got)}


def stories(receiver: Receiver) -> dict[str, list[str]]:
    """Return what was told of each resource, in order; what was delivered again counts once."""
    first: dict[str, Got] = {}
    for each in list(receiver.got):
        first.setdefault(each.headers["webhook-id"], each)
    told: dict[str, list[str]] = defaultdict(list)
    for got in first.values():
        resource = got.body["event"]["partyInteraction"]
        kind = got.body["eventType"].removeprefix("PartyInteraction").removesuffix("Event")
        told[resource["id"]].append(
            resource["description"] if kind == "AttributeValueChange" else kind
        )
    return told


@pytest.mark.crash
@pytest.mark.parametrize("store", ["sqlite", "mongo"])
def test_every_acknowledged_write_is_told(
    request: pytest.FixtureRequest, tmp_path: Path, store: str
) -> None:
    if store == "mongo":
        url = f"{request.getfixturevalue('mongo')}crashes{uuid.uuid4().hex[:8]}"
        survive(url, 400, 3, servers=servers_on(url))
    else:
        survive(f"sqlite:///{tmp_path}/store.db", 1200, 5)


@pytest.mark.crash
@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("store", ["sqlite", "mongo"])
def test_every_one_of_many_acknowledged_writes_is_told(
    request: pytest.FixtureRequest, tmp_path: Path, store: str
) -> None:
    if store == "mongo":
        url = f"{request.getfixturevalue('mongo')}crashes{uuid.uuid4().hex[:8]}"
        survive(url, 10_000, 20, servers=servers_on(url))
    else:
        survive(f"sqlite:///{tmp_path}/store.db", 10_000, 20)
