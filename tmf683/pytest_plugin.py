"""Fixtures for the tests of other projects: a real server, and the application in process.

    def test_an_agent_sees_the_call(tmf683_server):
        call = {"channel": [{"id": "hotline"}], "direction": "inbound", "reason": "Broadband fault"}
        (stored,) = tmf683_server.seed("partyInteraction", [call])
        assert my_crm(tmf683_server.api_url).last_contact() == stored["reason"]

`tmf683_server` is one process for the whole session, empty at the start of each test. Override the
session fixture `tmf683_environment` to set `TMF_*` variables, other contracts for example
(`TMF_SPEC`). `tmf683_app` is the ASGI application with a store of its own, its lifespan running; it
needs the names `app`, `handlers` and `storage` in the process of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tmf683.event_listener import EventListener

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_SECONDS = 60.0


@dataclass(frozen=True)
class EventCapture:
    """Events that the server delivered to the test."""

    _listener: EventListener

    def wait_for(self, type: str, id: str, seconds: float = _SECONDS) -> dict[str, Any]:
        """Return the event of a type about the resource of an id.

        Raises:
            TimeoutError: none arrives in time.
        """
        event = self._listener.wait_for(type, id, seconds)
        if event is None:
            raise TimeoutError(f"no {type} about {id} arrived within {seconds:g} s")
        return event


@dataclass(frozen=True)
class RunningServer:
    """A running server.

    `url` is its scheme, host and port; `api_urls` are the base URLs of the APIs it serves, and
    `log_file` holds what it logs.
    """

    url: str
    api_urls: tuple[str, ...]
    log_file: Path
    _captures: ExitStack = field(default_factory=ExitStack)

    @property
    def api_url(self) -> str:
        """The base URL of the first API served."""
        return self.api_urls[0]

    def seed(
        self, resource: str, bodies: Sequence[Mapping[str, Any]], *, api_url: str | None = None
    ) -> list[dict[str, Any]]:
        """Create resources, and return them as the server answered.

        Raises:
            ValueError: the server refuses one; the message is its answer.
        """
        return [self._post(f"{api_url or self.api_url}/{resource}", body) for body in bodies]

    def capture_events(self, query: str = "", *, api_url: str | None = None) -> EventCapture:
        """Register a listener of the test at the hub; it receives events until the test ends.

        Raises:
            ValueError: the server refuses the query; the message is its answer.
        """
        listener = self._captures.enter_context(EventListener("http://127.0.0.1"))
        body = {"callback": listener.url} | ({"query": query} if query else {})
        self._post(f"{api_url or self.api_url}/hub", body)
        return EventCapture(listener)

    def _post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        import httpx

        answer = httpx.post(url, json=dict(body), trust_env=False, timeout=_SECONDS)
        if answer.status_code >= 300:
            raise ValueError(answer.text)
        created: dict[str, Any] = answer.json()
        return created


@pytest.fixture(scope="session")
def tmf683_environment() -> dict[str, str]:
    """Return the `TMF_*` variables of the test server; override it to change them."""
    return {}


@pytest.fixture(scope="session")
def _tmf683_process(
    tmf683_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[str], RunningServer]]:
    folder = tmp_path_factory.mktemp("tmf683")
    environment = {
        **os.environ,
        "TMF_CONFIG": "",  # the settings of the project under test are not the server's
        "TMF_CALLBACK_ALLOW": "127.0.0.0/8",
        "TMF_DURABILITY": "normal",
        **tmf683_environment,
    }
    command = [sys.executable, "-m", "tmf683._test_server", str(folder)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    log = folder / "server.log"
    with process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')}")
        addresses = json.loads(line)
        yield process, RunningServer(addresses["url"], tuple(addresses["apis"]), log)
        if process.stdin:
            process.stdin.close()


@pytest.fixture
def tmf683_server(
    _tmf683_process: tuple[subprocess.Popen[str], RunningServer],
) -> Iterator[RunningServer]:
    """Return a running server, empty at the start of the test."""
    process, server = _tmf683_process
    if process.stdin and process.stdout:
        process.stdin.write("reset\n")
        process.stdin.flush()
        process.stdout.readline()
    with server._captures:
        yield server


@pytest.fixture
def tmf683_app() -> Iterator[ASGIApp]:
    """Return the ASGI application with an empty store in memory, its lifespan running."""
    import tmf683

    application = tmf683.create_app(tmf683.Settings(store="memory:"))
    from starlette.testclient import TestClient

    with TestClient(application):
        yield application
