"""The query of an event subscription: which events a listener wants (TMF630 part 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import parse_qsl, unquote

from app.tmf630 import filtering, jsonpath, selection
from app.tmf630.attribute_names import check_known
from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.errors import BadQuery
from storage import (
    And,
    AnyElement,
    Comparison,
    Condition,
    Matches,
    Not,
    Operator,
    Or,
    Path,
    holds,
    paths_in,
)

_TYPE: Path = ("eventType",)
_RAW = re.compile(r"[=<>&;]")
_ENCODED = re.compile(r"(?<![^%=<>;])([^%=<>;]++)%3[Dd]")
_PAYLOAD = 2
"""Attributes on the way to an event's resource, `event.thing`."""

_OF_LISTS = frozenset({"offset", "limit", "sort", "before", "after"})


@dataclass(frozen=True, slots=True)
class SubscriptionQuery:
    """Which events a listener wants, and which of their attributes; all of both when empty."""

    where: Condition | None
    fields: tuple[Path, ...]


def parse_query(definition: ResourceDefinition, query: str, limits: Limits) -> SubscriptionQuery:
    """Parse a subscription's query: the filters of a list, on events, `filter` and `fields`.

    Raises:
        BadQuery, UnsupportedQuery: it has no meaning.
    """
    query = _decoded(query).removeprefix("?")
    given = parse_qsl(query, keep_blank_values=True)
    for name in _OF_LISTS.intersection(name for name, _ in given):
        raise BadQuery(name, "is for lists; events have no order to choose, and no pages")
    conditions = [
        filtering.condition(definition, query, limits),
        *(jsonpath.condition(definition, text, limits) for text in jsonpath.texts(query)),
    ]
    stated = tuple(each for each in conditions if each is not None)
    where = And(stated) if len(stated) > 1 else next(iter(stated), None)
    if where is not None:
        holds(where, {})  # refuses patterns that are not RE2's
    fields = [value for name, value in given if name == "fields"]
    return SubscriptionQuery(where, selection.parse(fields, ("eventId", "eventType")))


def check_can_match(definition: ResourceDefinition, query: str, limits: Limits) -> None:
    """Check that a subscription's query can match an event of the API.

    Parameters have to name attributes of an event, as the contract has them. A JSONPath has to name
    the resource of an event; below that it may name extension attributes (TMF630 part 2).

    Raises:
        BadQuery: no event has such a type or attribute; the message names those there are.
        UnsupportedQuery: see `parse_query`.
    """
    if not definition.event_types:
        return
    query = _decoded(query).removeprefix("?")
    conditions: list[Condition] = []
    for text in jsonpath.texts(query):
        found = jsonpath.condition(definition, text, limits)
        for path in paths_in(found):
            check_known(definition, path[:_PAYLOAD], "filter")
        conditions.append(found)
    stated = filtering.condition(definition, query, limits, strict=True)
    if stated is not None:
        conditions.append(stated)
    for each in conditions:
        _check_types(definition, each)
    if not any(_may_be(True, And(tuple(conditions)), type) for type in definition.event_types):
        raise BadQuery(
            _TYPE[0], f"excludes every event of this API; it has {_joined(definition.event_types)}"
        )


def _decoded(query: str) -> str:
    """Return a query as it is without percent-encoding of its operators.

    Clients encode it as a whole, as a form's value, or each of its conditions.
    """
    if _RAW.search(query) is None:
        return unquote(query)
    if "filter=" in query:
        query = query.replace("&&", "%26%26")
    return "&".join(
        _ENCODED.sub(r"\1=", each, count=1) if _RAW.search(each) is None else each
        for each in query.split("&")
    )


def _check_types(definition: ResourceDefinition, tree: Condition) -> None:
    types = definition.event_types
    match tree:
        case Comparison(path, Operator.EQ, value) if path == _TYPE:
            text = str(value).strip("'")
            if text not in types and "," not in text:  # alternatives as one text
                raise BadQuery(_TYPE[0], f"is not an event of this API{_type_hint(types, value)}")
        case Matches(path) if path == _TYPE:
            if not any(holds(tree, {_TYPE[0]: each}) for each in types):
                raise BadQuery(_TYPE[0], f"matches no event of this API; it has {_joined(types)}")
        case Comparison() | Matches() | Not():
            return
        case AnyElement(_, inner):
            _check_types(definition, inner)
        case And(conditions) | Or(conditions):
            for each in conditions:
                _check_types(definition, each)


def _may_be(wanted: bool, tree: Condition, type: str) -> bool:
    """Whether a condition may be as wanted, true or false, for some event of a type."""
    match tree:
        case Comparison(path) | Matches(path) if path == _TYPE:
            return holds(tree, {_TYPE[0]: type}) is wanted
        case Not(inner):
            return _may_be(not wanted, inner, type)
        case And(conditions) | Or(conditions):
            found = [_may_be(wanted, each, type) for each in conditions]
            return all(found) if isinstance(tree, And) is wanted else any(found)
    return True


def _type_hint(types: tuple[str, ...], value: object) -> str:
    names = {each.lower(): each for each in types}
    close = get_close_matches(str(value)[:100].lower(), names, n=1)
    meant = f"did you mean {names[close[0]]}? It" if close else "it"
    return f"; {meant} has {_joined(types)}"


def _joined(names: tuple[str, ...]) -> str:
    return ", ".join(names)
