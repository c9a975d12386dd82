"""Servers that are not ours pass a derived run, and each fault is found by the assertion for it."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from app.conformance import DerivedRun, Outcome, run_derived, text_report
from app.contract import open_contract
from app.contract.document.load import load
from tests.app.conformance.peers import fastapi_peer
from tests.npm import node_folder
from tests.server import eventually

pytestmark = pytest.mark.slow

PEERS = Path(fastapi_peer.__file__).parent
DOCUMENT = PEERS / "ticket.yaml"
CONTRACT = open_contract(DOCUMENT)

FAULTS = {
    "creation answered 200": ("create with", "Status code is 201"),
    "Location missing": ("create with all", "Location leads to what was created"),
    "href missing": ("create with all", "Instance has id and href"),
    "value changed": ("create with all", "Instance has the values sent"),
    "content type": ("create with all", "Content-Type is application/json"),
    "required not enforced": ("without name", "Status code is 400"),
    "type not enforced": ("priority of another type", "Status code is 400"),
    "enum not enforced": ("severity outside its enum", "Status code is 400"),
    "error without code": ("retrieve what does not exist", "Body follows the contract"),
    "list in an object": ("list", "Body is an array"),
    "total wrong": ("filter by id", "X-Total-Count counts what is found"),
    "limit ignored": ("page of one", "A page has no more than its limit"),
    "offset ignored": ("page behind the first", "offset leaves out what came before"),
    "sort ignored": ("sort by", "The list is in the order of sort"),
    "filter ignored": ("filter by name", "Nothing else is found"),
    "fields ignored": ("select ", "It has no other attribute"),
    "unknown id found": ("retrieve what does not exist", "Status code is 404"),
    "If-None-Match ignored": ("unchanged", "Status code is 304"),
    "patch ignored": ("patch by application/json", "It is changed"),
    "patch replaces": ("patch by application/json", "The rest is not"),
    "merge patch refused": ("patch by application/merge-patch+json", "Status code is 200"),
    "ETag not changing": ("patch by application/json", "ETag is another after a change"),
    "If-Match ignored": ("patch another version", "Status code is 412"),
    "delete ignored": ("retrieve what is deleted", "Status code is 404"),
    "hub without callback": ("register without callback", "Status code is 400"),
    "unregister ignored": ("unregister again", "Status code is 404"),
    "event not delivered": ("create for an event", "TicketCreateEvent is delivered"),
    "Delete event not delivered": ("delete for an event", "TicketDeleteEvent is delivered"),
    "event without time": ("create for an event", "TicketCreateEvent follows the contract"),
}
"""Each fault with the purpose of the request, or its start, and the assertion that finds it."""


@contextmanager
def _fastapi() -> Iterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(fastapi_peer.create(), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def _express() -> Iterator[str]:
    node, folder = node_folder("express@5.3.0")
    process = subprocess.Popen(
        [node, PEERS / "express_peer.cjs"],
        env={**os.environ, "NODE_PATH": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(
    scope="module",
    params=[pytest.param(_fastapi, id="fastapi"), pytest.param(_express, id="express")],
)
def peer(request: pytest.FixtureRequest) -> Iterator[str]:
    """The origin of a server that is not ours."""
    with request.param() as url:
        yield url


def tried(peer: str, fault: str) -> Outcome:
    httpx.put(f"{peer}/fault", json={"name": fault}, trust_env=False).raise_for_status()
    options = DerivedRun(
        published=load(DOCUMENT),
        listener="http://127.0.0.1",
        event_seconds=0.3 if "not delivered" in fault else 10,
    )
    return run_derived(CONTRACT, f"{peer}{CONTRACT.base_path}", options=options)


def test_a_server_without_faults_passes(peer: str) -> None:
    outcome = tried(peer, "")
    assert outcome.failed == 0, text_report(outcome)
    assert outcome.not_tried == ()
    assert outcome.left == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_assertion_for_it(peer: str, fault: str) -> None:
    outcome = tried(peer, fault)
    purpose, assertion = FAULTS[fault]
    found = {
        (exchange.purpose, each.name)
        for exchange in outcome.exchanges
        for each in exchange.assertions
        if not each.passed
    }
    wanted = [name for made, name in found if made.startswith(purpose)]
    assert assertion in wanted, text_report(outcome)
