"""What connexion has routed, Flask need not route again."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import flask
from starlette.types import Scope
from werkzeug.routing import MapAdapter, Rule

ROUTE_KEY = "tmf.route"
"""Where the WSGI environment carries the `Route` that connexion found."""

Operation: TypeAlias = tuple[str, str]
"""The base path of an API, and an operationId."""

Route: TypeAlias = tuple[Operation, dict[str, Any]]
"""An operation, and its path parameters."""


def route_of(scope: Scope) -> Route | None:
    """Return what connexion's routing noted in a scope; None when the path is no operation's."""
    routed = scope.get("extensions", {}).get("connexion_routing", {})
    if not routed.get("operation_id"):
        return None
    return (routed["api_base_path"], routed["operation_id"]), dict(scope.get("path_params", {}))


class KnownRules:
    """Flask's rules by operation: its own routing decides once for each, and for all that is none.

    Flask's routing is a sixth of what a request costs.
    """

    def __init__(self, app: flask.Flask) -> None:
        self._match = app.create_url_adapter
        self._rules: dict[Operation, Rule] = {}
        app.create_url_adapter = self._adapter  # type: ignore[method-assign, assignment]

    def _adapter(self, request: flask.Request | None) -> MapAdapter | _Known | None:
        route: Route | None = request.environ.get(ROUTE_KEY) if request is not None else None
        if route is None:
            return self._match(request)
        operation, arguments = route
        rule = self._rules.get(operation)
        if rule is None:
            own = cast(MapAdapter, self._match(request))
            rule, found = own.match(return_rule=True)
            if found != arguments:  # the two read this path in different ways: Flask's holds
                return own
            self._rules[operation] = rule
        return _Known(rule, arguments)


class _Known:
    """As much of an adapter as Flask asks for."""

    __slots__ = ("_arguments", "_rule")

    def __init__(self, rule: Rule, arguments: dict[str, Any]) -> None:
        self._rule = rule
        self._arguments = arguments

    def match(self, *, return_rule: bool) -> tuple[Rule, dict[str, Any]]:
        """Return the rule, and the values of its parameters, as Flask's request context asks."""
        return self._rule, self._arguments
