"""What is served beside the contracts' operations: entry points, documents, Swagger UI."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import flask
import flask_swagger_ui
import orjson
from flask import Blueprint, Response

from app.contract import Contract, Kind
from app.contract.document.publication import published
from app.web.bridge import current_scope
from app.web.negotiation import wants_html
from handlers.responses import Response as PlainResponse
from handlers.responses import json_response
from storage import json

_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
_ASSET_NAMES = frozenset(
    {
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "favicon-16x16.png",
        "favicon-32x32.png",
    }
)
_INITIALIZER = """\
window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: document.body.dataset.document,
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "BaseLayout",
  });
};
"""
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{{ title }} {{ version }}</title>
  <link rel="stylesheet" href="{{ ui }}/swagger-ui.css">
  <style>
    nav { font: 14px sans-serif; padding: 10px 20px; }
    nav a { margin-right: 1.5em; }
    nav a[aria-current] { color: inherit; font-weight: bold; text-decoration: none; }
  </style>
  <link rel="icon" type="image/png" href="{{ ui }}/favicon-32x32.png">
</head>
<body data-document="{{ document }}">
  <nav aria-label="APIs">
    {%- for name, address in apis %}
    <a href="{{ address }}"{% if address == here %} aria-current="page"{% endif %}>{{ name }}</a>
    {%- endfor %}
  </nav>
  <div id="swagger-ui"></div>
  <script src="{{ ui }}/swagger-ui-bundle.js"></script>
  <script src="{{ ui }}/swagger-ui-standalone-preset.js"></script>
  <script src="{{ ui }}/initializer.js"></script>
</body>
</html>
"""
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:;"
    " style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def blueprint(
    contracts: Sequence[Contract],
    root_path: str,
    base_url: Callable[[], str],
    home: Callable[[], Response] | None = None,
    *,
    unlisted: Sequence[Contract] = (),
) -> Blueprint:
    """Return the routes of all entry points; `home` answers those who want a page.

    `unlisted` APIs are left out of the list of all APIs.
    """
    routes = Blueprint("entry_points", __name__)
    routes.add_url_rule(f"{root_path}/", "index", EntryPoint(contracts, base_url, home).index)
    for number, contract in enumerate([*contracts, *unlisted]):
        api = ApiPages(contract, contracts, base_url)
        for path, view in (
            ("/", api.entry),
            ("/openapi.json", api.document),
            ("/ui/", api.swagger_ui),
            ("/ui/<name>", api.asset),
        ):
            routes.add_url_rule(
                contract.base_path + path, f"{number}{view.__name__}", view, strict_slashes=False
            )
    return routes


class EntryPoint:
    """The entry point above all APIs."""

    def __init__(
        self,
        contracts: Sequence[Contract],
        base_url: Callable[[], str],
        home: Callable[[], Response] | None,
    ) -> None:
        self._contracts = contracts
        self._base_url = base_url
        self._home = home

    def index(self) -> PlainResponse | Response:
        """Answer 200 with a link to every API served, or with the home page to a browser."""
        if self._home is not None and wants_html(current_scope()):
            return self._home()
        base = self._base_url()
        varies = {} if self._home is None else {"Vary": "Accept"}
        return _json(
            {
                "_links": {
                    f"{each.name}/{each.version}": {"href": f"{base}{each.base_path}/"}
                    for each in self._contracts
                }
            },
            varies,
        )


class ApiPages:
    """The entry points of one API: what is there, the document, Swagger UI."""

    def __init__(
        self, contract: Contract, contracts: Sequence[Contract], base_url: Callable[[], str]
    ) -> None:
        self._contract = contract
        self._contracts = contracts
        self._base_url = base_url
        self._document = json.dumps(published(contract.document))

    def entry(self) -> PlainResponse:
        """Answer 200 with links to the collections, the contract and its documentation.

        Gateways and component test kits probe this address.
        """
        contract, base = self._contract, self._base_url() + self._contract.base_path
        links = {"self": {"href": f"{base}/"}}
        links |= {
            binding.path.strip("/"): {"href": base + binding.path}
            for binding in contract.bindings
            if binding.kind is Kind.LIST
        }
        links |= {"openapi": {"href": f"{base}/openapi.json"}, "ui": {"href": f"{base}/ui/"}}
        return _json({"title": contract.title, "version": contract.version, "_links": links})

    def document(self) -> PlainResponse:
        """Answer 200 with the effective contract, its server where this client reaches it."""
        here = orjson.dumps([{"url": self._base_url() + self._contract.base_path}])
        written = orjson.dumps(self._contract.document["servers"])
        return json_response(
            self._document.replace(b'"servers":' + written, b'"servers":' + here, 1)
        )

    def swagger_ui(self) -> Response:
        """Answer 200 with the documentation page, which leads to those of the other APIs."""
        prefix = urlsplit(self._base_url()).path
        here = prefix + self._contract.base_path
        page = flask.render_template_string(
            _PAGE,
            title=self._contract.title,
            version=self._contract.version,
            ui=f"{here}/ui",
            here=f"{here}/ui/",
            apis=[
                (f"{each.title} {each.version}", f"{prefix}{each.base_path}/ui/")
                for each in self._contracts
            ],
            document=f"{here}/openapi.json",
        )
        return Response(page, content_type="text/html; charset=utf-8", headers=_PAGE_HEADERS)

    def asset(self, name: str) -> Response:
        """Answer 200 with one of Swagger UI's files."""
        if name == "initializer.js":
            return Response(_INITIALIZER, content_type="text/javascript; charset=utf-8")
        if name not in _ASSET_NAMES:
            flask.abort(404)
        return flask.send_from_directory(_ASSETS, name, max_age=86400)


def _json(value: object, headers: Mapping[str, str] | None = None) -> PlainResponse:
    return json_response(orjson.dumps(value), headers=headers)
