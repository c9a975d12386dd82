"""Flask takes over what connexion has routed, and routes the rest itself."""

from __future__ import annotations

from typing import Any

import flask
import pytest
from werkzeug.exceptions import NotFound
from werkzeug.routing import MapAdapter

from app.web.routed import ROUTE_KEY, KnownRules, Route, route_of

READ = ("/base", "retrieve")


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> flask.Flask:
    app = flask.Flask("x")
    app.add_url_rule("/things/<id>", "things", lambda id: f"thing {id}")
    app.add_url_rule("/page", "page", lambda: "page")
    matched: list[str] = app.config.setdefault("MATCHED", [])
    own = MapAdapter.match

    def match(self: MapAdapter, *arguments: Any, **options: Any) -> Any:
        matched.append(self.path_info)
        return own(self, *arguments, **options)

    monkeypatch.setattr(MapAdapter, "match", match)
    KnownRules(app)
    return app


def answer(app: flask.Flask, path: str, route: Route | None) -> str:
    return app.test_client().get(path, environ_overrides={ROUTE_KEY: route}).text


def test_an_operation_is_routed_once_whatever_its_parameters(app: flask.Flask) -> None:
    for id in ("1", "2", "a b"):
        assert answer(app, f"/things/{id}", (READ, {"id": id})) == f"thing {id}"
    assert app.config["MATCHED"] == ["/things/1"]


def test_what_is_no_operation_is_routed_by_flask(app: flask.Flask) -> None:
    assert answer(app, "/page", None) == "page"
    assert app.test_client().get("/other").status_code == 404


def test_where_the_two_read_a_path_differently_flask_decides(app: flask.Flask) -> None:
    for _ in range(2):
        assert answer(app, "/things/1", (READ, {"thing-id": "1"})) == "thing 1"


def test_a_path_that_flask_does_not_know_is_not_found(app: flask.Flask) -> None:
    with app.test_request_context("/none", environ_overrides={ROUTE_KEY: (READ, {})}):
        assert isinstance(flask.request.routing_exception, NotFound)


def test_the_route_is_what_connexion_noted() -> None:
    routed = {"api_base_path": "/base", "operation_id": "retrieve"}
    scope = {"extensions": {"connexion_routing": routed}, "path_params": {"id": "1"}}
    assert route_of(scope) == (READ, {"id": "1"})
    assert route_of({"extensions": {"connexion_routing": routed}}) == (READ, {})
    routed["operation_id"] = ""
    assert route_of(scope) is None
    assert route_of({}) is None
