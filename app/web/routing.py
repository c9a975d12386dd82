"""Routing: what connexion is given of a contract, and the questions about paths it leaves open."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from app.contract import Contract
from app.contract.binding.security import REQUIRED
from app.contract.document.load import Json


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

    Conformance kits join a base URL that ends in a slash with paths that begin with one. The
    `roots`, which are entry pages, are meant with and without a slash: gateways probe them as their
    manifests name them, and take a redirect for a failure.
    """

    def __init__(
        self, app: ASGIApp, *, known: Callable[[str], frozenset[str]], roots: frozenset[str]
    ) -> None:
        self._app = app
        self._known = known
        self._roots = roots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its path tidied."""
        if scope["type"] == "http":
            path = scope["path"]
            if "//" in path:
                path = re.sub(r"/{2,}", "/", path)
                scope = {**scope, "path": path}
            if path in self._roots:
                scope = {**scope, "path": f"{path}/"}
            elif path.endswith("/") and self._known(path[:-1]):
                scope = {**scope, "path": path[:-1]}
        await self._app(scope, receive, send)


def routes_of(document: Json) -> Json:
    """Return what connexion needs of a document: operations, parameters and security.

    The schemas stay away: they are compiled already, and connexion would resolve every one of
    their references in every middleware. Paths without parameters come before those that would
    match the same (OpenAPI 3.0, Paths Object): connexion takes the first that does. It tries one
    after the other, so what can be read comes before what other systems alone use.
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
                    "security": _requirements(operation),
                }
                for method, operation in item.items()
            }
            for path, item in sorted(document["paths"].items(), key=_precedence)
        },
        "components": {
            "securitySchemes": document.get("components", {}).get("securitySchemes", {})
        },
    }


def _precedence(path_item: tuple[str, Json]) -> tuple[list[bool], bool]:
    """Return which parts of a path are parameters, and whether nothing can be read there."""
    path, item = path_item
    return ["{" in part for part in path.split("/")], "get" not in item


def _requirements(operation: Json) -> list[Json]:
    """Return an operation's security requirements, every scheme with the scope that it asks for.

    A contract cannot name scopes for API keys (OpenAPI 3.0, Security Requirement Object).
    """
    scopes = [operation[REQUIRED]] if REQUIRED in operation else []
    return [dict.fromkeys(each, scopes) for each in operation.get("security", [])]


def _methods(item: Json) -> list[str]:
    methods = [method.upper() for method in item]
    return [*methods, "HEAD"] if "GET" in methods else methods
