"""A running server for each store, shared by the tests of this folder."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import OURS
from tests.server import Server, running_server

MINIMAL = {"channel": [{"id": "555"}], "direction": "inbounds", "reason": "A fault"}


@pytest.fixture(scope="session")
def sqlite_server() -> Iterator[Server]:
    with running_server(OURS, env={"TMF_VALIDATE_RESPONSES": "true"}) as server:
        yield server


@pytest.fixture(scope="session")
def memory_server() -> Iterator[Server]:
    with running_server(OURS, store="memory:", env={"TMF_VALIDATE_RESPONSES": "true"}) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_server(mongo: str) -> Iterator[Server]:
    store = f"{mongo}http{uuid.uuid4().hex[:8]}"
    with running_server(OURS, store=store, env={"TMF_VALIDATE_RESPONSES": "true"}) as server:
        yield server


@pytest.fixture(params=["sqlite", "memory", "mongo"], scope="session")
def server(request: pytest.FixtureRequest) -> Server:
    """A server on each store in turn."""
    running: Server = request.getfixturevalue(f"{request.param}_server")
    return running


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[httpx.Client]:
    """A client of the API on each store."""
    with httpx.Client(base_url=server.base_url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def one(sqlite_server: Server) -> Iterator[httpx.Client]:
    """A client of the API on the embedded store, for what no store has a part in."""
    with httpx.Client(base_url=sqlite_server.base_url, trust_env=False, timeout=30) as client:
        yield client


def create(client: httpx.Client, **attributes: Any) -> dict[str, Any]:
    """Create an interaction from the minimum and `attributes`, and return it."""
    answer = client.post("/partyInteraction", json=MINIMAL | attributes)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def error_of(answer: httpx.Response, status: int) -> dict[str, str]:
    """Check that an answer is a TMF Error with this status, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    body: dict[str, str] = answer.json()
    assert body["status"] == str(status)
    assert body["@type"] == "Error"
    assert body["code"]
    assert body["reason"]
    assert "Traceback" not in answer.text
    assert len(answer.text) < 1000
    return body


def is_cut(connection: socket.socket) -> bool:
    """Whether the server has ended a connection, found out without reading from it."""
    try:
        connection.send(b"\r\n", socket.MSG_DONTWAIT)
    except (ConnectionResetError, BrokenPipeError):
        return True
    except BlockingIOError:
        pass
    return False
