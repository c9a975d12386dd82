from __future__ import annotations

from typing import Any

import connexion
import flask

from app.web.bridge import ContractApp, FlaskBridge, environ_of
from app.web.limits.admission import Slots
from storage import open_store


def test_connexion_still_has_the_names_the_bridge_replaces() -> None:
    """`app.web.bridge.ContractApp` puts its own Flask side in place of connexion's."""
    plain = connexion.FlaskApp("x")
    moved = "connexion moved a name that app/web/bridge.py relies on"
    assert hasattr(plain, "_middleware_app"), moved
    assert plain.middleware.app is plain._middleware_app, moved
    assert isinstance(plain.app, flask.Flask), moved
    store = open_store("memory:")
    bridge = FlaskBridge(
        "x", {}, threads=1, store=store, slots=Slots(1), client_of=lambda _: "", within=None
    )
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
