"""Normalisation: what other systems send, in the form that the contract here has.

Senders leave out the `href` of a reference, send null for what is not there, write offsets as
`+0000`, or date-times as numbers. An event that was refused for that would be lost.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from app.contract.evolution.version_views import MADE_UP_TEXT
from app.tmf630 import literals
from app.tmf630.definitions import Resource, ResourceDefinition
from storage import INSTANT, Path

_MILLISECONDS_FROM = 100_000_000_000
"""Numbers of at least this size count milliseconds since 1970, smaller ones seconds."""


def normalised(definition: ResourceDefinition, resource: Resource) -> Resource:
    """Return a resource without nulls, with date-times in RFC 3339, and texts where they belong."""
    return {
        name: _normalised(definition, (name,), value)
        for name, value in resource.items()
        if value is not None
    }


def conforming(definition: ResourceDefinition, resource: Resource) -> Resource:
    """Return a resource as the contract can have it; references without `href` get a relative one.

    See `Forms.conforming`.
    """
    made = definition.forms.conforming(resource)
    return resource if made is resource else {n: _referring(n, v) for n, v in made.items()}


def instant_of(value: object) -> datetime | None:
    """Return the instant that a date-time stands for, in any form; without an offset it is UTC."""
    try:
        if isinstance(value, str):
            if (read := literals.instant(value)) is not None:
                return read
            at = datetime.fromisoformat(value.strip())
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _normalised(definition: ResourceDefinition, path: Path, value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _normalised(definition, (*path, name), inner)
            for name, inner in value.items()
            if inner is not None
        }
    if isinstance(value, list):
        return [_normalised(definition, path, each) for each in value if each is not None]
    kind = definition.attributes.type_of(path)
    if kind == "date-time":
        return _date_time(value)
    if (kind == "string" or path == ("id",)) and isinstance(value, int | float):
        return value if isinstance(value, bool) else str(value)
    return value


def _date_time(value: Any) -> Any:
    if isinstance(value, str) and INSTANT.fullmatch(value):
        return value
    at = instant_of(value)
    return value if at is None else at.isoformat().replace("+00:00", "Z")


def _referring(name: str, value: Any) -> Any:
    """Return a value whose references have an `href` of their own where one was made up."""
    if isinstance(value, list):
        return [_referring(name, each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {inner: _referring(inner, each) for inner, each in value.items()}
    id = found.get("id")
    if found.get("href") == MADE_UP_TEXT and isinstance(id, str):
        referred = found.get("@referredType")
        kind = referred if isinstance(referred, str) and referred != MADE_UP_TEXT else name
        found["href"] = f"/{quote(kind[:1].lower() + kind[1:], safe='')}/{quote(id, safe='')}"
    return found
