"""A run derived from a contract passes on a server that keeps it, and names what another breaks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from app.conformance import run_derived, text_report
from app.conformance.sample import sample
from app.contract import Contract, open_contract
from app.contract.document.overlay import read_overlays
from app.contract.schema.schemas import body_schema
from app.settings import OPENAPI_FOLDER
from tests.conftest import OURS_V5
from tests.server import Server, running_server

Break = Callable[[str, str, int, Any], tuple[int, Any]]

CONTRACT: Contract = open_contract(OURS_V5, overlays=read_overlays(OPENAPI_FOLDER / "overlays"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(OURS_V5, store="memory:") as running:
        yield running


@contextmanager
def breaking(server: Server, change: Break) -> Iterator[str]:
    """Serve what the server answers, changed; yield the API's base URL there."""

    class Handler(BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            answer = httpx.request(
                self.command,
                server.url + self.path,
                content=self.rfile.read(length),
                headers={"Content-Type": self.headers.get("Content-Type", "application/json")},
                trust_env=False,
            )
            value = answer.json() if answer.content else None
            path = self.path.partition(base)[2]
            status, value = change(self.command, path, answer.status_code, value)
            body = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_request  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    base = server.base_url.removeprefix(server.url)
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}{base}"
    finally:
        proxy.shutdown()
        proxy.server_close()


def test_our_server_passes(server: Server) -> None:
    outcome = run_derived(CONTRACT, server.base_url)
    assert outcome.failed == 0, text_report(outcome)
    tried = {exchange.request.label.partition("?")[0] for exchange in outcome.exchanges}
    assert {"POST /partyInteraction", "GET /partyInteraction", "POST /hub"} <= tried
    assert any(label.startswith("PATCH /partyInteraction/") for label in tried)
    assert sum(label.startswith("POST /listener/") for label in tried) == 4
    assert outcome.assertions > 70


def on(method: str, start: str, change: Callable[[int, Any], tuple[int, Any]]) -> Break:
    return lambda sent, path, status, value: (
        change(status, value)
        if (sent, path.startswith(start)) == (method, True)
        else (status, value)
    )


def without(name: str) -> Callable[[int, Any], tuple[int, Any]]:
    return lambda status, value: (
        status,
        {key: inner for key, inner in value.items() if key != name}
        if isinstance(value, dict)
        else value,
    )


def changed(**values: Any) -> Callable[[int, Any], tuple[int, Any]]:
    return lambda status, value: (
        status,
        value | values if isinstance(value, dict) else value,
    )


ITEM = "/partyInteraction/"
BROKEN: dict[str, tuple[Break, str]] = {
    "creation answered 200": (
        on("POST", "/partyInteraction", lambda status, value: (200, value)),
        "Status code is 201: it is 200",
    ),
    "no id": (on("POST", "/partyInteraction", without("id")), "Instance has id and href"),
    "mandatory attribute lost": (
        on("POST", "/partyInteraction", without("reason")),
        "Instance has all mandatory attributes: reason missing",
    ),
    "value not kept": (
        on("POST", "/partyInteraction", changed(direction="sideways")),
        "Instance has the values sent",
    ),
    "type broken": (
        on("POST", "/partyInteraction", changed(status=7)),
        "Body follows the contract: /status must be of type string",
    ),
    "anything accepted": (
        on("POST", "/partyInteraction", lambda status, value: (201, value)),
        "Status code is 400: it is 201",
    ),
    "retrieve answers another": (
        on("GET", ITEM, changed(reason="another")),
        "It is what was created: reason not alike",
    ),
    "unknown found": (
        on("GET", ITEM, lambda status, value: (200, value)),
        "Status code is 404: it is 200",
    ),
    "filter ignored": (
        on(
            "GET",
            "/partyInteraction?",
            lambda status, value: (status, [*value, {"@type": "PartyInteraction", "id": "other"}]),
        ),
        "Nothing else is found",
    ),
    "filter finds nothing": (
        on("GET", "/partyInteraction?", lambda status, value: (status, [])),
        "What was created is found",
    ),
    "list is an object": (
        on("GET", "/partyInteraction?", lambda status, value: (status, {})),
        "Body is an array",
    ),
    "selection ignored": (
        on("GET", ITEM, changed(note=[])),
        "It has no other attribute: it has note",
    ),
    "patch ignored": (
        on("PATCH", ITEM, changed(reason="as before", direction="as before", description="x")),
        "It is changed",
    ),
    "patch refused": (
        on("PATCH", ITEM, lambda status, value: (400, None)),
        "Status code is 200: it is 400",
    ),
    "delete answered 200": (
        on("DELETE", ITEM, lambda status, value: (200, value)),
        "Status code is 204: it is 200",
    ),
    "hub forgets": (
        on("DELETE", "/hub/", lambda status, value: (204, None)),
        "Status code is 404: it is 204",
    ),
    "listener refuses": (
        on("POST", "/listener/", lambda status, value: (501, None)),
        "Status code is 204: it is 501",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_a_server_breaks_is_named(server: Server, broken: str) -> None:
    change, says = BROKEN[broken]
    with breaking(server, change) as url:
        outcome = run_derived(CONTRACT, url)
    assert outcome.failed
    assert says in text_report(outcome)


def test_a_server_that_does_not_answer_fails() -> None:
    outcome = run_derived(CONTRACT, "http://127.0.0.1:9/")
    assert outcome.failed
    assert outcome.mean_milliseconds is None


def test_a_sample_names_the_classes_its_contract_lists() -> None:
    """Servers that refuse other classes are to pass as well."""
    create = CONTRACT.document["paths"]["/partyInteraction"]["post"]
    made = sample(CONTRACT.document, body_schema(create) or {})
    (related,) = made["relatedChannel"]
    names = [each["@type"] for each in (made, related, related["channel"])]
    assert names == ["PartyInteraction", "RelatedChannel", "ChannelRef"]
