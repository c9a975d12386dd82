"""Templates: JSON values with places for others, as mapping and history files write them.

`{a.b|c}` stands for the first of these paths that has a value; a text that is nothing but one of
those takes the value as it is, of whatever type. `{from: …, values: {…}}` translates a value. What
finds no value is left out, and so is an object without any, or whose `id` finds none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.contract.document.load import Json

_PLACE = re.compile(r"\{([^{}]+)\}")

ABSENT = object()
"""What a template becomes that finds no value."""


def rendered(template: Any, payload: Mapping[str, Any]) -> Any:
    """Return what a template becomes with the values of `payload`; `ABSENT` for nothing."""
    if isinstance(template, str):
        return _text(template, payload)
    if isinstance(template, list):
        found = [rendered(each, payload) for each in template]
        return [each for each in found if each is not ABSENT] or ABSENT
    if not isinstance(template, dict):
        return template
    if template.keys() == {"from", "values"}:
        value = _text(template["from"], payload)
        return template["values"].get(value, value) if isinstance(value, str) else value
    return _object(template, payload)


def _object(template: Json, payload: Mapping[str, Any]) -> Any:
    """Return an object; `ABSENT` when none of the values it takes from elsewhere is there."""
    found = {name: rendered(inner, payload) for name, inner in template.items()}
    told = {name: value for name, value in found.items() if value is not ABSENT}
    asked = [inner for inner in template.values() if not _is_fixed(inner)]
    unnamed = "id" in template and found["id"] is ABSENT
    missing = unnamed or (
        asked
        and not any(
            not _is_fixed(inner) and found[name] is not ABSENT for name, inner in template.items()
        )
    )
    return ABSENT if missing else told


def _is_fixed(template: Any) -> bool:
    return not isinstance(template, dict | list) and not (
        isinstance(template, str) and _PLACE.search(template)
    )


def _text(template: str, payload: Mapping[str, Any]) -> Any:
    whole = _PLACE.fullmatch(template)
    if whole:
        return _first(whole[1], payload)
    places = {found[0]: _first(found[1], payload) for found in _PLACE.finditer(template)}
    if any(value is ABSENT or isinstance(value, dict | list) for value in places.values()):
        return ABSENT
    for place, value in places.items():
        template = template.replace(place, str(value))
    return template


def _first(paths: str, payload: Mapping[str, Any]) -> Any:
    for path in paths.split("|"):
        value: Any = payload
        for name in path.strip().split("."):
            if isinstance(value, list):
                value = value[0] if value else None
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            return value
    return ABSENT
