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

from app.conformance import (
    DerivedRun,
    Outcome,
    Selection,
    Transport,
    run_derived,
    text_report,
)
from app.conformance.negative import broken_bodies
from app.contract import Contract, open_contract
from app.contract.document.overlay import read_overlays
from app.contract.schema.sample import sample
from app.contract.schema.schemas import body_schema
from app.settings import OPENAPI_FOLDER
from tests.conftest import OURS_V5
from tests.server import Server, running_server

pytestmark = pytest.mark.slow

Break = Callable[[str, str, int, Any], tuple[int, Any]]

BODY = {
    "@type": "PartyInteraction",
    "direction": "inbound",
    "reason": "r",
    "relatedChannel": [
        {"@type": "RelatedChannel", "role": "r", "channel": {"@type": "ChannelRef", "id": "1"}}
    ],
}
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
            answer = client.request(
                self.command,
                server.url + self.path,
                content=self.rfile.read(length),
                headers={
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() in ("content-type", "if-match", "if-none-match")
                },
            )
            value = answer.json() if answer.content else None
            path = self.path.partition(base)[2]
            if "?limit=1" in path:
                FIRST[:] = value
            status, value = change(self.command, path, answer.status_code, value)
            tag = answer.headers.get("ETag")
            body = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            if tag:
                self.send_header("ETag", tag)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_request  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    client = httpx.Client(trust_env=False)
    base = server.base_url.removeprefix(server.url)
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}{base}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        client.close()


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


def when_body_lacks(name: str, change: Callable[[int, Any], tuple[int, Any]]) -> Break:
    """Change the refusals that name an attribute as required."""
    return lambda sent, path, status, value: (
        change(status, value)
        if status == 400 and f"/{name} is required" == value.get("message")
        else (status, value)
    )


ITEM = "/partyInteraction/"
FIRST: list[dict[str, Any]] = []
"""The first page that the server answered."""

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
    "page larger than its limit": (
        on("GET", "/partyInteraction?limit=1", lambda status, value: (status, [*value, *value])),
        "A page has no more than its limit: it has 2",
    ),
    "offset ignored": (
        on("GET", "/partyInteraction?offset=1", lambda status, value: (status, FIRST)),
        "offset leaves out what came before: the same item",
    ),
    "entity tags ignored": (
        on("GET", ITEM, lambda status, value: (200, value) if status == 304 else (status, value)),
        "Status code is 304: it is 200",
    ),
    "lost updates": (
        on("PATCH", ITEM, lambda status, value: (200, value) if status == 412 else (status, value)),
        "Status code is 412: it is 200",
    ),
    "a required attribute is optional": (
        when_body_lacks("direction", lambda status, value: (201, value)),
        "POST /partyInteraction (without direction)",
    ),
    "an answer to a patch misses the rest": (
        on("PATCH", ITEM, without("direction")),
        "The rest is not: direction is null",
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


def names(outcome: Outcome) -> set[str]:
    return {each.operation for each in outcome.not_tried}


def test_what_is_left_out_is_listed_with_the_reason(server: Server) -> None:
    options = DerivedRun(selection=Selection(only=["*PartyInteraction"], skip=["DELETE *"]))
    outcome = run_derived(CONTRACT, server.base_url, options=options)
    tried = {each.operation for each in outcome.exchanges}
    every = {f"{each.method.upper()} {each.path}" for each in CONTRACT.bindings}
    assert "POST /partyInteraction" in tried
    assert tried | names(outcome) == every
    reasons = {each.reason for each in outcome.not_tried}
    assert reasons == {"left out by --only", "left out by --skip"}


def test_a_failed_creation_hides_no_check_that_can_be_made(server: Server) -> None:
    there = httpx.post(f"{server.base_url}/partyInteraction", json=BODY, trust_env=False).json()
    with breaking(
        server, on("POST", "/partyInteraction", lambda status, value: (500, None))
    ) as url:
        outcome = run_derived(CONTRACT, url)
    purposes = {each.purpose for each in outcome.exchanges}
    assert {"retrieve", "retrieve what does not exist", "patch what does not exist"} <= purposes
    assert {"PATCH /partyInteraction/{id}", "DELETE /partyInteraction/{id}"} <= names(outcome)
    url = f"{server.base_url}/partyInteraction/{there['id']}"
    assert httpx.get(url, trust_env=False).json() == there


@pytest.mark.parametrize("keep", [False, True])
def test_a_run_removes_what_it_created_unless_it_is_to_keep_it(server: Server, keep: bool) -> None:
    def stored() -> set[str]:
        url = f"{server.base_url}/partyInteraction?limit=1000"
        return {each["id"] for each in httpx.get(url, trust_env=False).json()}

    before = stored()
    outcome = run_derived(CONTRACT, server.base_url, options=DerivedRun(keep=keep))
    made = stored() - before
    assert {url.rpartition("/")[2] for url in outcome.left if "/hub/" not in url} == made
    assert bool(made) is keep


def test_bodies_of_ones_own_take_the_place_of_samples(server: Server) -> None:
    options = DerivedRun(bodies={"partyInteraction": BODY})
    outcome = run_derived(CONTRACT, server.base_url, options=options)
    assert outcome.failed == 0, text_report(outcome)
    created = [each for each in outcome.exchanges if each.purpose.startswith("create")]
    assert [each.purpose for each in created] == ["create with the body of --data"]
    assert created[0].sent is not None
    assert json.loads(created[0].sent.body) == BODY


def test_every_required_attribute_type_and_enum_is_broken_once() -> None:
    (create,) = (
        each for each in CONTRACT.bindings if each.operation_id == "createPartyInteraction"
    )
    schema = body_schema(CONTRACT.document["paths"][create.path]["post"]) or {}
    valid = sample(CONTRACT.document, schema)
    validator = create.bodies["application/json"]
    broken = list(broken_bodies(CONTRACT.document, schema, valid, validator.accepts))
    rules = {each.rule for each in broken}
    for name in ("@type", "direction", "reason", "relatedChannel"):
        assert {f"without {name}", f"{name} of another type"} <= rules
    assert not [each.rule for each in broken if validator.accepts(each.body)]
    assert len(rules) == len(broken)


def test_events_are_received_and_checked() -> None:
    env = {"TMF_CALLBACK_ALLOW": "127.0.0.0/8"}
    with running_server(OURS_V5, store="memory:", env=env) as server:
        options = DerivedRun(listener="http://127.0.0.1", event_seconds=30)
        outcome = run_derived(CONTRACT, server.base_url, options=options)
    assert outcome.failed == 0, text_report(outcome)
    found = {each.name for exchange in outcome.exchanges for each in exchange.assertions}
    for change in ("Create", "AttributeValueChange", "StatusChange", "Delete"):
        assert f"PartyInteraction{change}Event is delivered" in found
        assert f"PartyInteraction{change}Event follows the contract" in found


def test_a_failure_shows_the_conversation_its_rule_and_how_to_repeat_it(server: Server) -> None:
    secret = Transport({"Authorization": "Bearer secret"})
    with breaking(server, on("POST", "/partyInteraction", changed(status=7))) as url:
        outcome = run_derived(CONTRACT, url, transport=secret)
    report = text_report(outcome)
    assert "rule: /paths/~1partyInteraction/post/responses/201" in report
    assert "> authorization: ***" in report.lower()
    assert "secret" not in report
    assert "$ curl -i -X POST" in report
    assert '< {"id":' in report or '< {"id": ' in report
