"""The memory of a worker has a bound, whatever clients ask for and do not read."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.conftest import OURS
from tests.http.conftest import MINIMAL, is_cut
from tests.server import Server, eventually, family_of, is_running, running_server

COLLECTION = "/tmf-api/partyInteraction/v4/partyInteraction"
DOCUMENTS = 60
DOCUMENT_BYTES = 1_000_000
MOST_GROWTH = 700 * 1024 * 1024
"""256 MB that are unsent, what is made until the next look at them, and what making it takes."""


def memory_of(pid: int) -> int:
    """Return the bytes of memory that a process alone has."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private"))


def ask_without_reading(server: Server, stack: ExitStack) -> socket.socket:
    url = httpx.URL(server.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stack.callback(connection.close)
    connection.connect((url.host, url.port))
    request = f"GET {COLLECTION}?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    connection.sendall(request * 4)
    return connection


@pytest.mark.slow
def test_clients_that_do_not_read_large_lists_cost_a_bounded_memory() -> None:
    env = {"TMF_WRITE_SECONDS": "8", "TMF_DELIVERY": "off", "TMF_MAX_BODY": "2000000"}
    with running_server(OURS, env=env) as server, ExitStack() as stack:
        large = MINIMAL | {"description": "x" * DOCUMENT_BYTES}
        with httpx.Client(trust_env=False, timeout=60) as client:
            for _ in range(DOCUMENTS):
                client.post(server.url + COLLECTION, json=large).raise_for_status()
            (worker,) = family_of(server.process.pid)[1:]
            before = memory_of(worker)
            connections = [ask_without_reading(server, stack) for _ in range(100)]
            most = 0

            def all_cut() -> bool:
                nonlocal most
                assert is_running(worker)
                most = max(most, memory_of(worker))
                return all(map(is_cut, connections))

            assert eventually(all_cut, 120)
            assert most - before < MOST_GROWTH, f"{(most - before) >> 20} MB"
            assert client.get(f"{server.url}{COLLECTION}?limit=1").status_code == 200
            assert "Traceback" not in server.log(), "to cut a client off is no error"
