"""Bodies that a contract does not allow: one broken rule each, for the negative checks of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.contract.document.load import Json
from app.contract.schema.schemas import attributes, follow, name_of

_OTHER_TYPE: dict[str, Any] = {
    "string": {"not": "a string"},
    "integer": "not an integer",
    "number": "not a number",
    "boolean": "not a boolean",
    "object": "not an object",
    "array": "not an array",
}
_NO_MEMBER = "not one of the enum"


@dataclass(frozen=True, slots=True)
class BrokenBody:
    """A body that breaks one rule; `rule` says which, `pointer` where the contract states it."""

    rule: str
    pointer: str
    body: Json


def broken_bodies(
    document: Json, schema: Json, valid: Json, accepts: Callable[[Any], bool]
) -> Iterator[BrokenBody]:
    """Yield a body for each required attribute, each type and each enum of an object schema.

    `valid` is a body that the schema allows. What is accepted all the same, because a union or an
    overlay allows it, is left out.
    """
    described = attributes(document, schema)
    base = f"/components/schemas/{name_of(schema)}" if name_of(schema) else "the request body"
    for name in sorted(described.required):
        rest = {key: value for key, value in valid.items() if key != name}
        if not accepts(rest):
            yield BrokenBody(f"without {name}", f"{base}/required", rest)
    for name, property in described.properties.items():
        plain = follow(document, property)
        place = f"{base}/properties/{name}"
        wrong = _OTHER_TYPE.get(str(plain.get("type")))
        if wrong is not None:
            body = {**valid, name: wrong}
            if not accepts(body):
                yield BrokenBody(f"{name} of another type", f"{place}/type", body)
        if "enum" in plain and plain.get("type") == "string":
            body = {**valid, name: _NO_MEMBER}
            if not accepts(body):
                yield BrokenBody(f"{name} outside its enum", f"{place}/enum", body)
