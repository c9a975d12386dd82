"""Restarts under load: no request fails when workers are replaced, no write is lost by a kill."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import uuid
from dataclasses import dataclass, field

import httpx
import pytest

from tests.conftest import OURS
from tests.http.conftest import MINIMAL
from tests.server import Server, eventually, family_of, is_delivery, running_server

CLIENTS = 8
BODY = json.dumps(MINIMAL)


class NotAnsweredError(Exception):
    """An answer did not come, or was not the one wanted."""

    def __init__(self, cause: Exception, fresh: bool) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.is_refusal = isinstance(cause, ConnectionRefusedError) or (
            fresh and isinstance(cause, ConnectionResetError)
        )
        """Nobody listened. What the kernel queued just as a socket closed is reset, not refused."""


@dataclass
class Hammer:
    """Clients that write and read over kept connections, and never try anything twice."""

    server: Server
    done: int = 0
    failures: list[NotAnsweredError] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Hammer:
        self.threads = [threading.Thread(target=self._work) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def wait_for_more(self, number: int = 50) -> None:
        """Wait until so many more requests are answered as they should be."""
        wanted = self.done + number
        assert eventually(lambda: self.done >= wanted)

    def _work(self) -> None:
        url = httpx.URL(self.server.base_url)
        connection = http.client.HTTPConnection(url.host, url.port, timeout=30)
        path = f"{url.path}/partyInteraction"
        while not self.stopping.is_set():
            try:
                id = json.loads(self._ask(connection, "POST", path, 201))["id"]
                self.acknowledged.append(id)
                self._ask(connection, "GET", f"{path}/{id}", 200)
                self._ask(connection, "GET", f"{path}?limit=1", 200)
            except NotAnsweredError as error:
                self.failures.append(error)
                connection.close()
                self.stopping.wait(0.02)

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, wanted: int
    ) -> bytes:
        body = BODY if method == "POST" else None
        fresh = connection.sock is None
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == wanted, f"{answer.status} {content[:200]!r}"
        except (OSError, http.client.HTTPException, AssertionError) as error:
            raise NotAnsweredError(error, fresh) from error
        self.done += 1
        return content


def workers_of(server: Server) -> list[int]:
    """Return the processes that serve."""
    return [each for each in family_of(server.process.pid)[1:] if not is_delivery(each)]


def wait_for_others(server: Server, before: list[int], number: int) -> None:
    """Wait until there are `number` workers, none of which was there before."""

    def replaced() -> bool:
        workers = workers_of(server)
        return len(workers) == number and not set(workers) & set(before)

    assert eventually(replaced), "the workers were not replaced"


def restart(rounds: int) -> Hammer:
    """Replace the workers of a server, in both ways, again and again while clients hammer it."""
    with running_server(OURS, workers=2, env={"TMF_ACCESS_LOG": "false"}) as server:
        with Hammer(server) as hammer:
            hammer.wait_for_more()
            for _ in range(rounds):
                before = workers_of(server)
                os.kill(server.process.pid, signal.SIGHUP)
                wait_for_others(server, before, 2)
                hammer.wait_for_more()
                for worker in workers_of(server):
                    os.kill(worker, signal.SIGTERM)
                    wait_for_others(server, [worker], 2)
                    hammer.wait_for_more(200)  # the new one takes its part before the next goes
        assert_kept(server, hammer)
        assert httpx.get(f"{server.url}/metrics", trust_env=False).status_code == 200
        assert "Traceback" not in server.log()
    return hammer


def assert_kept(server: Server, hammer: Hammer) -> None:
    with httpx.Client(base_url=server.base_url, trust_env=False, timeout=30) as client:
        lost = [
            id
            for id in hammer.acknowledged
            if client.get(f"/partyInteraction/{id}?fields=none").status_code != 200
        ]
    assert not lost, f"{len(lost)} of {len(hammer.acknowledged)} acknowledged writes are lost"


@pytest.mark.crash
def test_no_request_fails_while_workers_are_replaced() -> None:
    hammer = restart(2)
    assert not hammer.failures, hammer.failures[:5]


@pytest.mark.crash
@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_request_fails_while_workers_are_replaced_again_and_again() -> None:
    hammer = restart(20)
    assert not hammer.failures, hammer.failures[:5]


@pytest.mark.crash
@pytest.mark.parametrize("store", ["sqlite", "mongo"])
def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(
    request: pytest.FixtureRequest, store: str
) -> None:
    url = None
    if store == "mongo":
        url = f"{request.getfixturevalue('mongo')}killed{uuid.uuid4().hex[:8]}"
    workers = 2 if store == "sqlite" else 1  # what stands in for MongoDB bears one writing process
    with running_server(OURS, store=url, workers=workers) as server:
        with Hammer(server) as hammer:
            for _ in range(4):
                hammer.wait_for_more()
                victim = workers_of(server)[0]
                os.kill(victim, signal.SIGKILL)
                wait_for_others(server, [victim], workers)
            hammer.wait_for_more()
        assert hammer.acknowledged
        assert_kept(server, hammer)


@pytest.mark.crash
def test_a_server_that_is_told_to_stop_finishes_what_it_has_begun() -> None:
    with running_server(OURS, workers=2) as server, Hammer(server) as hammer:
        hammer.wait_for_more()
        server.process.terminate()
        server.process.wait(60)
        hammer.stopping.set()
    # Who asks when nobody listens any more is refused; nobody is left without an answer.
    assert all(each.is_refusal for each in hammer.failures), hammer.failures[:5]
    assert server.process.returncode == 0
