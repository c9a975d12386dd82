"""Paths that select by content, in TM Forum's JSON Patch with queries (TMF630 parts 5 and 6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import jsonpath_rfc9535 as jsonpath

from handlers.errors import PatchConflict

_NEEDS_TARGET = frozenset({"remove", "replace", "test"})


def expand(operation: dict[str, Any], resource: Any, position: int) -> list[dict[str, Any]]:
    """Return the JSON Patch operations (RFC 6902) that an operation with a query stands for.

    One operation for each element selected, the last element first, so that removing one does not
    move the others.

    Raises:
        PatchConflict: the path is of neither form, or selects nothing that could be changed.
    """
    word = operation.get("op")
    word = "remove" if word == "delete" else word
    path = str(operation.get("path", ""))
    if path.startswith("$"):
        found = _by_jsonpath(path, resource, position)
    elif "?" in path:
        found = _by_condition(path, resource)
    else:
        return [{**operation, "op": word}]
    if not found and word in _NEEDS_TARGET:
        raise PatchConflict(f"operation {position} ({word} {path[:120]}) selects nothing")
    return [{**operation, "op": word, "path": _pointer(each)} for each in reversed(found)]


def _by_jsonpath(path: str, resource: Any, position: int) -> list[tuple[str | int, ...]]:
    try:
        nodes = jsonpath.find(path, resource)
    except jsonpath.JSONPathError as error:
        reason = str(error).splitlines()[0]
        raise PatchConflict(
            f"operation {position} has a path that is no JSONPath: {reason}"
        ) from None
    return sorted((node.location for node in nodes), key=_in_document_order)


def _by_condition(path: str, resource: Any) -> list[tuple[str | int, ...]]:
    """Resolve `/note?author=x` and `/orderItem/quantity?orderItem.productOffering.id=1513`.

    A condition's path begins at the selected array's elements, or at the resource and goes through
    that array by name.
    """
    pointer, _, query = path.partition("?")
    names = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/") if part]
    conditions = [
        (tuple(name.split(".")), value) for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return _walk(resource, names, conditions, ())


def _walk(
    value: Any,
    names: list[str],
    conditions: list[tuple[tuple[str, ...], str]],
    here: tuple[str | int, ...],
) -> list[tuple[str | int, ...]]:
    if isinstance(value, list):
        relevant = [(_from_element(path, here), text) for path, text in conditions]
        return [
            place
            for index, element in enumerate(value)
            if all(path is None or _holds(element, path, text) for path, text in relevant)
            for place in _walk(element, names, conditions, (*here, index))
        ]
    if not names:
        return [here]
    if not isinstance(value, dict):
        return []
    if names[0] not in value:
        return [(*here, names[0])] if len(names) == 1 and here else []
    return _walk(value[names[0]], names[1:], conditions, (*here, names[0]))


def _from_element(path: tuple[str, ...], here: tuple[str | int, ...]) -> tuple[str, ...] | None:
    """Return a condition's path as seen from the elements of the array at `here`.

    A path that names the way to the array goes through it; any other begins at the elements of the
    first array on the way. None when the condition is about another array.
    """
    walked = tuple(part for part in here if isinstance(part, str))
    if path[: len(walked)] == walked and len(path) > len(walked):
        return path[len(walked) :]
    return path if len(walked) == len(here) and path[:1] != walked[:1] else None


def _holds(element: Any, path: tuple[str, ...], text: str) -> bool:
    return any(_reads(value, text) for value in _values(element, path))


def _values(value: Any, path: tuple[str, ...]) -> list[Any]:
    if isinstance(value, list):
        return [found for element in value for found in _values(element, path)]
    if not path:
        return [value]
    return _values(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []


def _reads(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    return str(value) == text.strip('"') if isinstance(value, str | int | float) else False


def _pointer(place: tuple[str | int, ...]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)


def _in_document_order(place: tuple[str | int, ...]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in place]
