"""Route table: finds an operation by method and path, in one look-up for most paths."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Route:
    """An operation of the API at `base_path`; `parameters` are its path parameters in order."""

    base_path: str
    operation_id: str
    parameters: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class RouteTable:
    """The routes of all contracts.

    A literal segment takes precedence over a parameter (OpenAPI 3.0, Paths Object). A `GET` route
    serves `HEAD` too.
    """

    def __init__(self) -> None:
        self._root = _Node()
        self._literal: dict[tuple[str, str], Route] = {}
        self._last_is_parameter: dict[tuple[str, str], Route] = {}
        """By what comes before the parameter, which is literal."""

    def add(self, method: str, base_path: str, path: str, operation_id: str) -> None:
        """Add a route; the first of a method and path is kept, as connexion does.

        A segment that is a parameter only in part (`/{id}.json`) is left to connexion.
        """
        node, parameters = self._root, []
        for segment in (base_path + path).split("/"):
            if segment.startswith("{") and segment.endswith("}"):
                parameters.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            elif "{" in segment:
                return
            else:
                node = node.literals.setdefault(segment, _Node())
        route = Route(base_path, operation_id, tuple(parameters))
        begin, _, _ = (base_path + path).partition("{")
        for each in (method, "HEAD") if method == "GET" else (method,):
            node.routes.setdefault(each, route)
            if not parameters:
                self._literal.setdefault((each, begin), route)
            elif base_path + path == f"{begin}{{{parameters[0]}}}":
                self._last_is_parameter.setdefault((each, begin), route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route of a request and its path parameters; None when there is none."""
        found = self._literal.get((method, path))
        if found is not None:
            return found, {}
        begin, slash, last = path.rpartition("/")
        found = self._last_is_parameter.get((method, begin + slash)) if last else None
        if found is not None:
            return found, {found.parameters[0]: last}
        values: list[str] = []
        node = _find(self._root, path.split("/"), 0, method, values)
        if node is None:
            return None
        route = node.routes[method]
        return route, dict(zip(route.parameters, values, strict=True))


def _find(
    node: _Node, segments: list[str], index: int, method: str, values: list[str]
) -> _Node | None:
    while index < len(segments) and node.parameter is None:  # there is no choice
        literal = node.literals.get(segments[index])
        if literal is None:
            return None
        node, index = literal, index + 1
    if index == len(segments):
        return node if method in node.routes else None
    segment = segments[index]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _find(literal, segments, index + 1, method, values)
        if found is not None:
            return found
    if node.parameter is not None and segment:
        values.append(segment)
        found = _find(node.parameter, segments, index + 1, method, values)
        if found is not None:
            return found
        values.pop()
    return None
