"""connexion: everything of it that this server extends or relies on, in one place.

connexion reads the routes and the security requirements of a contract and calls its middleware in
order. These parts of it are subclassed or replaced; `TESTED` is the release they were tested with,
and a test fails when another one is installed.

- `FlaskApp._middleware_app`, `FlaskApp.middleware.app`: the Flask side, replaced by `bridge`.
- `ConnexionMiddleware._build_middleware_stack`, which connexion calls with the first request.
- `FlaskApi.make_operation`: how an operation becomes a Flask view; ours adds no decorator.
- `RoutingMiddleware.add_api` and the scope's `connexion_routing` extension: see `OperationRouting`.
- `RequestValidationAPI.make_operation`, `ResponseValidationAPI.make_operation`: how an operation
  becomes a validator; ours uses validators that were compiled at start.
- `AbstractSecurityHandler.get_fn` and `NO_VALUE`: how a security scheme is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connexion import FlaskApp as FlaskApp
from connexion.apps.flask import FlaskApi
from connexion.apps.flask import FlaskASGIApp as FlaskASGIApp
from connexion.exceptions import OAuthProblem as OAuthProblem
from connexion.lifecycle import ConnexionRequest as ConnexionRequest
from connexion.middleware.lifespan import LifespanMiddleware as LifespanMiddleware
from connexion.middleware.request_validation import RequestValidationAPI as RequestValidationAPI
from connexion.middleware.request_validation import (
    RequestValidationMiddleware as RequestValidationMiddleware,
)
from connexion.middleware.response_validation import ResponseValidationAPI as ResponseValidationAPI
from connexion.middleware.response_validation import (
    ResponseValidationMiddleware as ResponseValidationMiddleware,
)
from connexion.middleware.routing import RoutingMiddleware
from connexion.middleware.security import SecurityMiddleware as SecurityMiddleware
from connexion.operations import AbstractOperation as AbstractOperation
from connexion.resolver import Resolver as Resolver
from connexion.security import NO_VALUE as NO_VALUE
from connexion.security import AbstractSecurityHandler as AbstractSecurityHandler
from starlette.types import ASGIApp, Receive, Scope, Send

from app.contract.document.load import Json
from app.web.route_table import RouteTable

TESTED = {"connexion": "3.3"}
"""The minor release whose internals these are."""

_ROUTING = "connexion_routing"


class PlainFlaskApi(FlaskApi):
    """Registers handlers with Flask as they are, without connexion's decorator.

    The decorator inspects the handler's signature and rebuilds its arguments for every request.
    """

    def make_operation(self, operation: AbstractOperation) -> Callable[..., Any]:
        """Return the handler itself."""
        function: Callable[..., Any] = operation.function
        return function


class OperationRouting(RoutingMiddleware):
    """connexion's routing, with a table of its routes in front.

    connexion tries one route after the other, and each mounted API copies the scope. The table
    finds an operation by its method and segments; what it does not find, connexion decides (404,
    405, pages).
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._table = RouteTable()

    def add_api(
        self,
        specification: Any,
        base_path: str | None = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Register the routes of one API."""
        super().add_api(specification, base_path, arguments, **kwargs)
        base = base_path or ""
        paths: Json = specification["paths"]
        for path, item in paths.items():
            for method, operation in item.items():
                self._table.add(method.upper(), base, path, operation["operationId"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the operation of a request in its scope, and pass it on."""
        found = None
        if scope["type"] == "http" and not scope.get("root_path"):
            found = self._table.find(scope["method"], scope["path"])
        if found is None:
            await super().__call__(scope, receive, send)
            return
        route, arguments = found
        scope["path_params"] = arguments
        scope.setdefault("extensions", {})[_ROUTING] = {
            "api_base_path": route.base_path,
            "operation_id": route.operation_id,
        }
        await self.app(scope, receive, send)


def operation_of(scope: Scope) -> tuple[str, str | None] | None:
    """Return the base path and operationId that routing found; None before routing.

    The operationId is None where the path is no operation's.
    """
    routed = scope.get("extensions", {}).get(_ROUTING)
    return None if routed is None else (routed["api_base_path"], routed["operation_id"])
