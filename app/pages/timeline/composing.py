"""Composing: what a form says as the body of a request, by the contract that it is sent under."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from app.contract.document.load import Json
from app.contract.schema.discriminator import discriminator_of
from app.contract.schema.schemas import attributes, follow, name_of
from app.pages.timeline.source import TimelineSource

_DEFAULTS = {
    "relatedParty": {"role": "customer", "@referredType": "Party", "href": "/party/{id}"},
    "channel": {"role": "channel", "href": "/channel/{id}"},
    "relatedChannel": {"role": "channel"},
}
"""What an attribute's objects have where the contract requires it and a form does not ask."""


_USUAL = {"direction": ("inbound", "outbound")}
"""What a form offers where the contract takes any text."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form: the attribute it fills, as a path, and what the contract says of it."""

    name: str
    path: tuple[str | int, ...]
    required: bool
    options: tuple[str, ...] = ()
    longest: int | None = None


def fields_of(source: TimelineSource) -> dict[str, Field]:
    """Return the fields of a new contact, by name."""
    document = source.contract.document
    described = attributes(document, source.create_schema)
    channel = _places(source.channel)
    party = _places(source.party)
    holder = party[:-1]
    role = (party[0], 0, "role")
    paths: dict[str, tuple[str | int, ...]] = {
        "direction": ("direction",),
        "channel": channel,
        "reason": ("reason",),
        "description": ("description",),
        "status": ("status",),
        "party": party,
        "party_name": (*holder, "name"),
        "party_role": role,
        "start": ("interactionDate", "startDateTime"),
        "end": ("interactionDate", "endDateTime"),
        "note": ("note", 0, "text"),
    }
    found = {}
    for name, path in paths.items():
        schema = follow(document, described.properties.get(str(path[0]), {}))
        plain = len(path) == 1
        options = tuple(map(str, schema.get("enum", ()))) if plain else ()
        options = options or _USUAL.get(name, source.statuses if name == "status" else ())
        first = name in ("direction", "channel", "reason", "status")
        found[name] = Field(
            name,
            path,
            required=first and path[0] in described.required,
            options=options,
            longest=schema.get("maxLength") if plain else None,
        )
    return found


def _places(dotted: str) -> tuple[str | int, ...]:
    first, *rest = dotted.split(".")
    return (first, 0, *rest)


def body_of(source: TimelineSource, form: Mapping[str, str]) -> Json:
    """Return the request body that a form makes; empty fields are left out."""
    body: Json = {}
    for field in fields_of(source).values():
        value = form.get(field.name, "").strip()
        if field.name == "party_role":
            value = (value or _DEFAULTS["relatedParty"]["role"]) if form.get("party") else ""
        if value:
            _put(body, field.path, value)
    return completed(source, body)


def completed(source: TimelineSource, body: Json) -> Json:
    """Return a body with what the contract requires and no person would type: classes, roles."""
    made = _completed(source.contract.document, source.create_schema, body, "")
    assert isinstance(made, dict)  # noqa: S101 - an object stays one
    return made


def note_of(source: TimelineSource, text: str, author: str, date: str) -> Json:
    """Return a new note as the contract wants it."""
    note = {"text": text, "date": date} | ({"author": author} if author else {})
    body = _completed(source.contract.document, source.create_schema, {"note": [note]}, "")
    found: Json = body["note"][0]
    return found


def _completed(document: Json, schema: Json, value: Any, attribute: str) -> Any:
    name = name_of(schema)
    schema = follow(document, schema)
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_completed(document, items, each, attribute) for each in value]
    if not isinstance(value, dict):
        return value
    stated = discriminator_of(document, schema, name)
    type_ = (name or "").partition("_")[0]
    if stated is not None and stated.union and stated.cases:
        type_ = next((each for each in stated.cases if each.endswith("Ref")), "")
        type_ = type_ or next(iter(stated.cases))
        schema = {"$ref": f"#/components/schemas/{stated.cases[type_]}"}
    described = attributes(document, schema)
    made = {
        key: _completed(document, described.properties[key], each, key)
        if key in described.properties
        else each
        for key, each in value.items()
    }
    if "@type" in described.required or (stated is not None and stated.union):
        made.setdefault("@type", type_)
    for key, default in _DEFAULTS.get(attribute, {}).items():
        if key in described.required and key not in made:
            made[key] = default.replace("{id}", quote(str(made.get("id", "")), safe=""))
    return made


def _put(body: Json, path: tuple[str | int, ...], value: str) -> None:
    here: Any = body
    for place, following in pairwise(path):
        if isinstance(place, int):
            if not here:
                here.append({})
            here = here[place]
        else:
            here = here.setdefault(place, [] if isinstance(following, int) else {})
    here[path[-1]] = value


def errors_of(source: TimelineSource, message: str) -> tuple[dict[str, list[str]], list[str]]:
    """Return what a refusal says of each field, and what it says of none.

    The message names attributes by JSON pointers (`/reason is required; /channel …`).
    """
    fields = fields_of(source)
    found: dict[str, list[str]] = {}
    others = []
    for part in message.split("; "):
        pointer, _, rule = part.partition(" ")
        places = tuple(re.sub(r"^/", "", pointer).split("/")) if pointer.startswith("/") else ()
        field = _nearest(fields, places)
        if field is None:
            others.append(part)
        else:
            found.setdefault(field, []).append(rule)
    return found, others


def _nearest(fields: Mapping[str, Field], places: tuple[str, ...]) -> str | None:
    """Return the field whose attribute is at a place, within it, or around it."""
    if not places:
        return None
    exact = [f for f in fields.values() if tuple(map(str, f.path)) == places]
    around = [
        f
        for f in fields.values()
        if tuple(map(str, f.path))[: len(places)] == places or places[:1] == f.path[:1]
    ]
    found = exact or around
    return found[0].name if found else None
