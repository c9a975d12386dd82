"""Event sources: data files that say how events of other APIs become resources of this one.

A source file names the API and resource that events are about (`from`), the API and resource they
become (`into`), and how: `id` and each attribute in `attributes` is a template. `{a.b|c}` stands
for the first of these paths that has a value; a text that is nothing but one of those takes the
value as it is, of whatever type. `{from: …, values: {…}}` translates a value. What finds no value
is left out, and so is an object without any, or whose `id` finds none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.contract.document.load import Json, load
from app.contract.errors import ContractError, Problem
from app.tmf630.definitions import Resource

_PLACE = re.compile(r"\{([^{}]+)\}")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Source:
    """How the events about one resource of another API become resources here."""

    title: str
    api: str
    resource: str
    into_api: str
    into_resource: str
    into_version: str
    id: str
    attributes: Mapping[str, Any]

    def local(self, payload: Resource) -> Resource:
        """Return the local attributes, `id` included, of the resource that an event describes."""
        found = {name: _rendered(template, payload) for name, template in self.attributes.items()}
        found = {name: value for name, value in found.items() if value is not _ABSENT}
        id = _rendered(self.id, payload)
        return found if id is _ABSENT else {"id": id, **found}


def read_sources(folder: Path) -> tuple[Source, ...]:
    """Read every source file of a folder.

    Raises:
        ContractError: one is not a source file; the pointer says where.
    """
    return tuple(_read(file) for file in sorted(folder.glob("*.source.yaml")))


def _read(file: Path) -> Source:
    document = load(file)
    wanted = {"from": ("api", "resource"), "into": ("api", "resource", "version")}
    for part, names in wanted.items():
        for name in names:
            if not isinstance(document.get(part, {}).get(name), str):
                raise ContractError(str(file), [Problem(f"/{part}/{name}", "must be a text")])
    if not isinstance(document.get("id"), str):
        raise ContractError(str(file), [Problem("/id", "must be a text")])
    if not isinstance(document.get("attributes"), dict):
        raise ContractError(str(file), [Problem("/attributes", "must be an object")])
    source, into = document["from"], document["into"]
    return Source(
        title=str(document.get("title", file.name)),
        api=source["api"],
        resource=source["resource"],
        into_api=into["api"],
        into_resource=into["resource"],
        into_version=into["version"],
        id=document["id"],
        attributes=document["attributes"],
    )


def _rendered(template: Any, payload: Resource) -> Any:
    if isinstance(template, str):
        return _text(template, payload)
    if isinstance(template, list):
        found = [_rendered(each, payload) for each in template]
        return [each for each in found if each is not _ABSENT] or _ABSENT
    if not isinstance(template, dict):
        return template
    if template.keys() == {"from", "values"}:
        value = _text(template["from"], payload)
        return template["values"].get(value, value) if isinstance(value, str) else value
    return _object(template, payload)


def _object(template: Json, payload: Resource) -> Any:
    """Return an object; `_ABSENT` when none of the values it takes from the event is there."""
    found = {name: _rendered(inner, payload) for name, inner in template.items()}
    values = {name: value for name, value in found.items() if value is not _ABSENT}
    asked = [inner for inner in template.values() if not _is_fixed(inner)]
    unnamed = "id" in template and found["id"] is _ABSENT
    missing = unnamed or (
        asked
        and not any(
            not _is_fixed(inner) and found[name] is not _ABSENT for name, inner in template.items()
        )
    )
    return _ABSENT if missing else values


def _is_fixed(template: Any) -> bool:
    return not isinstance(template, dict | list) and not (
        isinstance(template, str) and _PLACE.search(template)
    )


def _text(template: str, payload: Resource) -> Any:
    whole = _PLACE.fullmatch(template)
    if whole:
        return _first(whole[1], payload)
    places = {found[0]: _first(found[1], payload) for found in _PLACE.finditer(template)}
    if any(value is _ABSENT or isinstance(value, dict | list) for value in places.values()):
        return _ABSENT
    for place, value in places.items():
        template = template.replace(place, str(value))
    return template


def _first(paths: str, payload: Resource) -> Any:
    for path in paths.split("|"):
        value: Any = payload
        for name in path.strip().split("."):
            if isinstance(value, list):
                value = value[0] if value else None
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            return value
    return _ABSENT
