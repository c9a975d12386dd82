"""Routing: the routes of a contract for connexion, and the methods and spelling of paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from app.contract import Contract
from app.contract.binding.security import REQUIRED
from app.contract.document.load import Json


class ContractPaths:
    """The methods of every path of all contracts."""

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
        """Return the methods (upper case) that a path takes, with or without a trailing slash.

        An empty set when no contract has the path.
        """
        path = re.sub(r"/{2,}", "/", path)
        if path.endswith("/") and len(path) > 1:
            path = path[:-1]
        found: frozenset[str] = frozenset()
        for pattern, methods in self._patterns:
            if pattern.fullmatch(path):
                found |= methods
        return found


class PathNormalization:
    """Removes doubled slashes, and a trailing slash after a path of a contract.

    Conformance kits join a base URL that ends in a slash with paths that begin with one. The
    `roots`, which are entry pages, get a trailing slash: gateways probe them with and without one,
    and treat a redirect as a failure.
    """

    def __init__(
        self, app: ASGIApp, *, known: Callable[[str], frozenset[str]], roots: frozenset[str]
    ) -> None:
        self._app = app
        self._known = known
        self._roots = roots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the normalized path."""
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
    """Return the part of a document that connexion needs: operations, path parameters, security.

    Schemas are left out: they are compiled already, and connexion would resolve their references
    in every middleware. Paths without parameters come before those with parameters that match the
    same (OpenAPI 3.0, Paths Object), since connexion takes the first match.
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
    """Return the order of paths: literal segments first, then paths that can be read."""
    path, item = path_item
    return ["{" in part for part in path.split("/")], "get" not in item


def _requirements(operation: Json) -> list[Json]:
    """Return an operation's security requirements, every scheme with the scope it requires.

    A contract cannot name scopes for API keys (OpenAPI 3.0, Security Requirement Object).
    """
    scopes = [operation[REQUIRED]] if REQUIRED in operation else []
    return [dict.fromkeys(each, scopes) for each in operation.get("security", [])]


def _methods(item: Json) -> list[str]:
    methods = [method.upper() for method in item]
    return [*methods, "HEAD"] if "GET" in methods else methods
