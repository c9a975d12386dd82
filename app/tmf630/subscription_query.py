"""The query of an event subscription: which events a listener wants (TMF630 part 1)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from app.tmf630 import filtering, jsonpath, selection
from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.errors import BadQuery
from storage import And, Condition, Path, holds

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
    query = query.removeprefix("?")
    given = parse_qsl(query, keep_blank_values=True)
    for name in _OF_LISTS.intersection(name for name, _ in given):
        raise BadQuery(name, "is for lists; events have no order to choose, and no pages")
    conditions = [
        filtering.condition(definition, query, limits),
        *(jsonpath.condition(definition, text, limits) for name, text in given if name == "filter"),
    ]
    stated = tuple(each for each in conditions if each is not None)
    where = And(stated) if len(stated) > 1 else next(iter(stated), None)
    if where is not None:
        holds(where, {})  # refuses patterns that are not RE2's
    fields = [value for name, value in given if name == "fields"]
    return SubscriptionQuery(where, selection.parse(fields, ("eventId", "eventType")))
