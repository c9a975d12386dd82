"""Assertions of a derived run about resources: None when one holds, else what is wrong."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from app.conformance.assertions import shown
from app.conformance.outcome import Assertion
from app.contract import Binding
from app.tmf630.definitions import ResourceDefinition


def of_contract(
    binding: Binding, status: int, value: Any, pointer: str, *, selected: bool
) -> Iterator[Assertion]:
    """Check an answer against the schema of its status, where the contract has one.

    An answer with `fields` may lack required attributes.
    """
    validator = binding.responses(status)
    if validator is None or value is None:
        return
    violations = validator.violations(value)
    if selected:
        violations = [each for each in violations if each.rule != "is required"]
    if violations and status < 300 and binding.requests_allow(value):
        violations = []  # a contradiction of the document, no fault of the server
    failure = "; ".join(map(str, violations)) or None
    yield Assertion("Body follows the contract", failure, f"{pointer}/{status}")


def of_media_type(
    declared: Collection[str], received: str | None, content: bytes, pointer: str
) -> Iterator[Assertion]:
    """Check the Content-Type of an answer with a body against those that the contract declares."""
    if not declared or not content:
        return
    stated = (received or "").partition(";")[0].strip().lower()
    wrong = None if stated in declared else f"it is {stated or 'not stated'}"
    yield Assertion(f"Content-Type is {' or '.join(sorted(declared))}", wrong, pointer)


def parsed(content: bytes) -> Any:
    """Return the JSON of an answer, None when it has none."""
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


def without_id(example: Any) -> dict[str, Any]:
    """Return an example's body; ids that clients choose would be taken when it is sent twice."""
    return {name: value for name, value in example.items() if name != "id"}


def missing(resource: dict[str, Any], names: Sequence[str]) -> str | None:
    """Say which attributes a resource lacks."""
    lacking = [name for name in names if name not in resource]
    return f"{', '.join(lacking)} missing" if lacking else None


def differing(
    definition: ResourceDefinition, sent: dict[str, Any], got: dict[str, Any]
) -> str | None:
    """Say which attribute is not as it was sent, those aside that servers set themselves."""
    servers = {"id", "href", *definition.managed}
    for name, value in sent.items():
        if name not in servers and is_scalar(value) and got.get(name) != value:
            return f"{name} is {shown(got.get(name))}, but {shown(value)} was sent"
    return None


def unlike(created: dict[str, Any], read: Any) -> str | None:
    """Say which attributes are read otherwise than they were created."""
    if not isinstance(read, dict):
        return "there is no resource in the answer"
    differing = [name for name in created if created[name] != read.get(name)]
    return f"{', '.join(differing)} not alike" if differing else None


def not_among(id: str | int, found: list[Any]) -> str | None:
    """Say that a resource is not among those found."""
    among = any(isinstance(each, dict) and each.get("id") == id for each in found)
    return None if among else f"id {shown(id)} is not among {len(found)}"


def leading_elsewhere(location: str | None, created: dict[str, Any]) -> str | None:
    """Say that a Location does not lead to the resource that was created (RFC 9110, 15.3.2)."""
    if location is None:
        return "there is no Location"
    path = unquote(urlsplit(location).path)
    return None if path.endswith(f"/{created.get('id')}") else f"it is {shown(location)}"


def miscounted(total: str | None, found: list[Any]) -> str | None:
    """Say that X-Total-Count, where there is one, is not the number of a list that is whole."""
    return None if total in (None, str(len(found))) else f"it is {shown(total)} of {len(found)}"


def is_scalar(value: Any) -> bool:
    """Whether a JSON value is a text, a number or a boolean."""
    return isinstance(value, str | int | float | bool)
