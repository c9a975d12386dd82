"""Paths that select by content, in TM Forum's JSON Patch with queries (TMF630 parts 5 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from app.tmf630.errors import BadPatch, BadQuery, PatchConflict
from app.tmf630.jsonpath import predicate
from app.tmf630.jsonpath_parser import parse
from app.tmf630.jsonpath_syntax import Filter, Index, Name, Step, Wildcard
from storage import UnsupportedQuery, holds

Place: TypeAlias = tuple[str | int, ...]
"""The way to a value: attribute names, and indexes of array elements."""

Conditions: TypeAlias = list[tuple[tuple[str, ...], str]]
"""Paths, each with the text that a value there has to read as."""

_NEEDS_TARGET = frozenset({"add", "remove", "replace", "test"})


def expand(
    operation: dict[str, Any],
    resource: Any,
    position: int,
    longest: int,
    check_time: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Return the JSON Patch operations (RFC 6902) that an operation with a query stands for.

    One operation for each element selected, the last element first, so that removing one does not
    move the others. `check_time` is called for each element and condition; its exceptions pass
    through.

    Raises:
        BadPatch: the path has more than `longest` characters.
        PatchConflict: the path is of neither form, or selects nothing that could be changed.
    """
    word = operation.get("op")
    word = "remove" if word == "delete" else word
    path = str(operation.get("path", ""))
    where = f"operation {position} ({word} {path[:120]})"
    if len(path) > longest:
        raise BadPatch(f"{where} has a path of more than {longest} characters")
    try:
        if "[?" in path or not path.startswith("/"):
            found = _by_jsonpath(path.lstrip("/"), resource, check_time, adds=word == "add")
        elif "?" in path:
            found = _by_condition(path, resource, check_time)
        else:
            return [{**operation, "op": word}]
    except (BadQuery, UnsupportedQuery) as error:
        raise PatchConflict(f"{where} has a path that {error}") from None
    except RecursionError:
        raise PatchConflict(f"{where} is nested too deeply") from None
    if not found and word in _NEEDS_TARGET:
        raise PatchConflict(f"{where} selects nothing")
    return [{**operation, "op": word, "path": _pointer(each)} for each in reversed(found)]


def _by_jsonpath(
    path: str, resource: Any, check_time: Callable[[], None], *, adds: bool
) -> list[Place]:
    """Resolve `$.note[?(@.author=='x')].text`; what is added need not be there yet."""
    found: list[tuple[Place, Any]] = [((), resource)]
    steps = parse(path)
    for number, step in enumerate(steps, 1):
        new = adds and number == len(steps)
        found = [
            ((*place, key), inner)
            for place, value in found
            for key, inner in _selected(step, value, check_time, new=new)
        ]
    return [place for place, _ in found]


def _selected(
    step: Step, value: Any, check_time: Callable[[], None], *, new: bool
) -> list[tuple[str | int, Any]]:
    """Return what one step selects of a value, each with its name or index."""
    elements: list[tuple[str | int, Any]] = []
    if isinstance(value, list):
        elements = list(enumerate(value))
    match step:
        case Name(name):
            there = isinstance(value, dict) and (new or name in value)
            return [(name, value.get(name))] if there else []
        case Index(index):
            return [elements[index]] if -len(elements) <= index < len(elements) else []
        case Wildcard():
            return elements
        case Filter(expression):
            condition = predicate(expression)
            return [
                (index, each)
                for index, each in elements
                if holds(condition, each, check_time=check_time)
            ]


def _by_condition(path: str, resource: Any, check_time: Callable[[], None]) -> list[Place]:
    """Resolve `/note?author=x` and `/orderItem/quantity?orderItem.thing.id=1513`.

    A condition's path begins at the elements of an array on the way, the first one that has the
    attribute, or at the resource. Official documents also write it as a pointer
    (`?/note/author=x`), the comparison as `==`, and the value in quotes or behind the pointer.
    """
    pointer, _, query = path.partition("?")
    names = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/") if part]
    conditions = [
        (_condition_path(name), _condition_value(value, names))
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    if not conditions:
        raise BadQuery("path", "has a query that states no condition")
    array = _first_array(resource, names)
    about_resource = [
        (path, text)
        for path, text in conditions
        if not array or (path[0] == array[0] and path[: len(array)] != array)
    ]
    if not _meets(resource, about_resource, check_time):
        return []
    return _walk(resource, names, conditions, (), check_time)


def _condition_path(name: str) -> tuple[str, ...]:
    """Return the path of `note.author` and of `/note/author`."""
    return tuple(name.removeprefix("/").replace("/", ".").split("."))


def _condition_value(text: str, names: list[str]) -> str:
    """Return the text to compare with, of `x`, `='x'`, `"x"` and `/note/x`."""
    text = text.removeprefix("=")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    for length in range(len(names), 0, -1):
        prefix = f"/{'/'.join(names[:length])}/"
        if text.startswith(prefix):
            return text[len(prefix) :]
    return text


def _first_array(resource: Any, names: list[str]) -> tuple[str, ...]:
    """Return the way to the first array on the way that these names go; empty without one."""
    for number, name in enumerate(names, 1):
        resource = resource.get(name) if isinstance(resource, dict) else None
        if isinstance(resource, list):
            return tuple(names[:number])
    return ()


def _walk(
    value: Any,
    names: list[str],
    conditions: Conditions,
    here: Place,
    check_time: Callable[[], None],
) -> list[Place]:
    if isinstance(value, list):
        relevant, later = [], []
        for path, text in conditions:
            own = _from_element(path, here)
            relative = own == path
            if own is not None and not (relative and _begins_below(value, names, path)):
                relevant.append((own, text))
                if relative:
                    continue
            later.append((path, text))  # a path that names the way goes through arrays below too
        return [
            place
            for index, element in enumerate(value)
            if _meets(element, relevant, check_time)
            for place in _walk(element, names, later, (*here, index), check_time)
        ]
    if not names:
        return [here]
    if not isinstance(value, dict):
        return []
    if names[0] not in value:
        return [(*here, names[0])] if len(names) == 1 and here else []
    return _walk(value[names[0]], names[1:], conditions, (*here, names[0]), check_time)


def _begins_below(elements: list[Any], names: list[str], path: tuple[str, ...]) -> bool:
    """Whether an array further down the way has the attribute that these elements lack."""
    if any(isinstance(each, dict) and path[0] in each for each in elements):
        return False
    return any(_first_array(each, names) for each in elements)


def _from_element(path: tuple[str, ...], here: Place) -> tuple[str, ...] | None:
    """Return a condition's path as seen from the elements of the array at `here`.

    A path that names the way to the array goes through it; any other begins at the elements of an
    array on the way. None when the condition is about something else.
    """
    walked = tuple(part for part in here if isinstance(part, str))
    if path[: len(walked)] == walked and len(path) > len(walked):
        return path[len(walked) :]
    return path if path[:1] != walked[:1] else None


def _meets(element: Any, conditions: Conditions, check_time: Callable[[], None]) -> bool:
    for path, text in conditions:
        check_time()
        if not any(_reads(value, text) for value in _values(element, path)):
            return False
    return True


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


def _pointer(place: Place) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)
