from __future__ import annotations

import asyncio
from typing import Any

import connexion
import flask
import pytest
from werkzeug.exceptions import NotFound

from app.web.bridge import ContractApp, FlaskBridge, environ_of
from app.web.limits.admission import Slots
from app.web.operation_call import Execution, OperationCall, set_call
from handlers.request_context import RequestContext, TooMuchForEventLoop
from handlers.responses import Response, json_response
from storage import Store, open_store


def opened_bridge(store: Store) -> FlaskBridge:
    bridge = FlaskBridge("x", {}, threads=1, slots=Slots(1), client_of=lambda _: "", within=None)
    bridge.open(store)
    return bridge


def test_connexion_still_has_the_names_the_bridge_replaces() -> None:
    """`app.web.bridge.ContractApp` puts its own Flask side in place of connexion's."""
    plain = connexion.FlaskApp("x")
    moved = "connexion moved a name that app/web/bridge.py relies on"
    assert hasattr(plain, "_middleware_app"), moved
    assert plain.middleware.app is plain._middleware_app, moved
    assert isinstance(plain.app, flask.Flask), moved
    assert callable(plain.middleware._build_middleware_stack), moved
    store = open_store("memory:")
    bridge = opened_bridge(store)
    ours = ContractApp("x", bridge=bridge, store=store)
    assert ours.middleware.app is ours._middleware_app is ours.bridge
    store.close()


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "server": ("127.0.0.1", 8080),
        "client": ("10.0.0.9", 5),
        "path": "/é",
        "root_path": "",
        "query_string": b"a=%C3%A9",
        "headers": [(b"host", b"h"), (b"accept", b"a"), (b"accept", b"b"), (b"content-type", b"t")],
    } | changes


def test_a_scope_becomes_a_wsgi_environment() -> None:
    environ = environ_of(scope())
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/é"
    assert environ["QUERY_STRING"] == "a=%C3%A9"
    assert environ["HTTP_ACCEPT"] == "a,b"
    assert environ["CONTENT_TYPE"] == "t"
    assert environ["wsgi.url_scheme"] == "https"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "8080")
    assert environ["REMOTE_ADDR"] == "10.0.0.9"
    assert environ_of(scope(server=None, client=None))["SERVER_NAME"] == "localhost"
    assert environ_of(scope(server=("/run/s", None)))["SERVER_PORT"] == "0"


async def call(bridge: FlaskBridge, execution: Execution) -> tuple[int, list[int | None]]:
    """Call a handler that has too much to do; return the status, and the bounds it was given."""
    bounds: list[int | None] = []
    sent: list[Any] = []

    def handler(request: RequestContext) -> Response:
        bounds.append(request.parse_limit)
        if request.parse_limit is not None:
            raise TooMuchForEventLoop
        return json_response(b"[]")

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    request = scope()
    set_call(request, OperationCall(handler, RequestContext("", parse_limit=10), (), execution))
    await bridge(request, receive, send)
    return sent[0]["status"], bounds


@pytest.mark.parametrize("execution", list(Execution))
def test_what_is_too_much_for_the_event_loop_is_done_in_a_thread(execution: Execution) -> None:
    store = open_store("memory:")
    bridge = opened_bridge(store)
    status, bounds = asyncio.run(call(bridge, execution))
    bridge.close()
    store.close()
    assert status == 200
    assert bounds[-1] is None


@pytest.mark.parametrize("execution", [None, *Execution])
def test_a_request_that_fails_gives_back_its_slot(execution: Execution | None) -> None:
    store = open_store("memory:")
    bridge = opened_bridge(store)

    def fail(_: RequestContext) -> Response:
        raise ZeroDivisionError

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        raise AssertionError

    async def ask() -> None:
        request = scope()
        if execution is not None:
            set_call(request, OperationCall(fail, RequestContext(""), (), execution))
        with pytest.raises((ZeroDivisionError, NotFound)):  # Flask has no such page
            await bridge(request, receive, send)

    asyncio.run(ask())
    asyncio.run(ask())
    bridge.close()
    store.close()


def test_a_store_that_waits_for_its_answers_has_no_bounds_of_the_event_loop() -> None:
    store = open_store("memory:")
    store.reads_without_io_wait = False
    bridge = opened_bridge(store)
    assert asyncio.run(call(bridge, Execution.EVENT_LOOP)) == (200, [None])
    bridge.close()
    store.close()
