"""The application: contracts, handlers and store put together on connexion and Flask."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import flask
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.middleware.security import SecurityMiddleware
from connexion.resolver import Resolver
from starlette.types import ASGIApp, Receive, Scope, Send
from werkzeug.middleware.proxy_fix import ProxyFix

from app import pages
from app.bridge import ContractApp
from app.contract import Binding, Contract, Kind, open_contract
from app.contract.load import Json
from app.contract.overlay import read_overlays
from app.errors import BadHost, ErrorBoundary
from app.response_validation import ContractResponseMiddleware
from app.settings import OPENAPI_FOLDER, Settings, read_settings
from app.validation import ContractValidationMiddleware
from handlers.resources import ResourceHandlers
from handlers.unserved import UnservedHandler
from storage import Store, open_store

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def open_contracts(settings: Settings) -> tuple[Contract, ...]:
    """Open every contract the settings name.

    Raises:
        ContractError: one cannot be served.
    """
    overlays = read_overlays(OPENAPI_FOLDER / "overlays")
    return tuple(
        open_contract(
            Path(file),
            overlays=overlays,
            profile=settings.profile,
            base_path=settings.base_path if len(settings.spec) == 1 else None,
            root_path=settings.root_path,
        )
        for file in settings.spec
    )


def open_prepared_store(settings: Settings, contracts: Sequence[Contract]) -> Store:
    """Open the store with the collections and indexes the contracts need.

    Raises:
        StoreError: it cannot be opened.
    """
    store = open_store(
        settings.store, durability=settings.durability, busy_seconds=settings.busy_seconds
    )
    for contract in contracts:
        for definition in {
            binding.definition.collection: binding.definition
            for binding in contract.bindings
            if binding.definition is not None
        }.values():
            store.prepare(definition.collection, definition.indexes)
    return store


def create_app(
    settings: Settings | None = None,
    *,
    contracts: Sequence[Contract] | None = None,
    store: Store | None = None,
) -> ASGIApp:
    """Make the ASGI application; without arguments, from the environment's settings.

    The application closes the store when its lifespan ends.
    """
    settings = settings or read_settings()
    contracts = contracts or open_contracts(settings)
    store = store or open_prepared_store(settings, contracts)
    paths = ContractPaths(contracts)
    app = ContractApp(
        "app",
        threads=settings.threads,
        store=store,
        lifespan=_closing(store),
        middlewares=[
            partial(ErrorBoundary, allowed=paths.methods),
            LifespanMiddleware,
            partial(TidyPath, known=paths.methods),
            RoutingMiddleware,
            SecurityMiddleware,
            ContractValidationMiddleware,
            *([ContractResponseMiddleware] if settings.validate_responses else []),
        ],
    )
    if settings.trust_forwarded:
        proxied = ProxyFix(app.app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
        app.app.wsgi_app = proxied  # type: ignore[method-assign]
    base_url = partial(_base_url, settings.public_url)
    for contract in contracts:
        bindings = {binding.operation_id: binding for binding in contract.bindings}
        views = {
            name: _view(binding, store, base_url, settings) for name, binding in bindings.items()
        }
        app.add_api(
            routes_of(contract.document),
            base_path=contract.base_path,
            resolver=Resolver(views.__getitem__),
            bindings=bindings,
            max_body=settings.max_body,
        )
    app.app.register_blueprint(pages.blueprint(contracts, store, settings.root_path, base_url))
    return app


class ContractPaths:
    """The paths of all contracts, for questions that routing by method cannot answer."""

    def __init__(self, contracts: Sequence[Contract]) -> None:
        self._patterns = [
            (
                re.compile(
                    re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(contract.base_path + path))
                ),
                frozenset(_methods(item)),
            )
            for contract in contracts
            for path, item in contract.document["paths"].items()
        ]

    def methods(self, path: str) -> frozenset[str]:
        """Return the methods (upper case) a path has; none when no contract knows it."""
        found: frozenset[str] = frozenset()
        for pattern, methods in self._patterns:
            if pattern.fullmatch(path):
                found |= methods
        return found


class TidyPath:
    """Forgives a doubled slash, and one at the end, where a contract's path is meant.

    Conformance kits join a base URL that ends in a slash with paths that begin with one.
    """

    def __init__(self, app: ASGIApp, *, known: Callable[[str], frozenset[str]]) -> None:
        self._app = app
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its path tidied."""
        if scope["type"] == "http":
            path = scope["path"]
            if "//" in path:
                path = re.sub(r"/{2,}", "/", path)
                scope = {**scope, "path": path}
            if path.endswith("/") and self._known(path[:-1]):
                scope = {**scope, "path": path[:-1]}
        await self._app(scope, receive, send)


def routes_of(document: Json) -> Json:
    """Return what connexion needs of a document: operations, parameters and security.

    The schemas stay away: they are compiled already, and connexion would resolve every one of
    their references in every middleware.
    """
    return {
        "openapi": "3.0.3",
        "info": document["info"],
        "paths": {
            path: {
                method: {
                    "operationId": operation["operationId"],
                    "parameters": [
                        {"name": each["name"], "in": "path", "required": True}
                        | {"schema": {"type": "string"}}
                        for each in operation.get("parameters", [])
                        if each["in"] == "path"
                    ],
                    "responses": {"default": {"description": ""}},
                    **{name: operation[name] for name in ("security",) if name in operation},
                }
                for method, operation in item.items()
            }
            for path, item in document["paths"].items()
        },
        "components": {
            "securitySchemes": document.get("components", {}).get("securitySchemes", {})
        },
        **{name: document[name] for name in ("security",) if name in document},
    }


def _methods(item: Json) -> list[str]:
    methods = [method.upper() for method in item]
    return [*methods, "HEAD"] if "GET" in methods else methods


def _view(
    binding: Binding, store: Store, base_url: Callable[[], str], settings: Settings
) -> Callable[..., Any]:
    """Return the function that Flask calls for an operation."""
    if binding.definition is None:
        return UnservedHandler(binding.unserved or "no handler fits").refuse
    handlers = ResourceHandlers(
        binding.definition,
        store,
        base_url=base_url,
        default_limit=settings.default_limit,
        maximum_limit=settings.max_limit,
    )
    collection = {Kind.LIST: handlers.list, Kind.CREATE: handlers.create}
    if binding.kind in collection:
        return collection[binding.kind]
    member = {
        Kind.RETRIEVE: handlers.retrieve,
        Kind.PATCH: handlers.patch,
        Kind.DELETE: handlers.delete,
    }[binding.kind]

    def view(**path: str) -> Any:
        (id,) = path.values()  # contracts name the parameter as they like
        return member(id)

    return view


def _base_url(public_url: str | None) -> str:
    """Return where clients reach the server: the setting, else what this request says.

    Raises:
        BadHost: the request's Host header is not a host.
    """
    if public_url:
        return public_url
    environ = flask.request.environ
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    if not _is_host(host):
        raise BadHost("it must be a host name or address, with a port or without")
    return f"{environ['wsgi.url_scheme']}://{host}{environ['SCRIPT_NAME']}"


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def _closing(store: Store) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        yield
        store.close()

    return lifespan
