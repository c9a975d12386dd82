"""Initial values: what a new resource starts with where the client does not say.

An overlay lists them (`x-initial-values`), each an attribute by its path and the value it gets. A
resource gets those of the attributes that it has and whose schema allows the value. `{resource}` in
a name stands for the name of the resource, `{now}` as a value for the current time; `beside` makes
an entry one for resources that have that other attribute too, `text` lets `{now}` fill an attribute
without a format.

An attribute that holds a lifecycle and has an enumeration starts with the first of
`x-initial-states` that is among its values, whatever their case and separators. Where none is, a
mandatory attribute gets its first value that is not among `x-final-states`, an optional one none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from app.contract.document.load import Json
from app.contract.schema.schemas import AttributePaths
from app.contract.schema.validators import SchemaCompiler, View
from app.tmf630.definitions import Fill

_NOW = "{now}"


def initial_values(
    document: Json,
    compiler: SchemaCompiler,
    attributes: AttributePaths,
    resource: str,
    required: frozenset[str] = frozenset(),
) -> Iterator[Fill]:
    """Yield the initial values of a resource; where two are for one attribute, the first counts.

    `required` are the attributes that the resource cannot be without.
    """
    resource = resource[:1].lower() + resource[1:]
    for entry in document.get("x-initial-values", []):
        path = tuple(entry["attribute"].replace("{resource}", resource).split("."))
        schema = attributes.schema_at(path)
        beside = entry.get("beside")
        if schema is None or (beside is not None and not attributes.knows((beside,))):
            continue
        value = entry.get("value")
        if "enum" in schema:
            value = _initial_state(document, schema["enum"], required=path[0] in required)
        if value is not None and _allowed(compiler, schema, value, text=entry.get("text") is True):
            yield Fill(path, value)


def _initial_state(document: Json, values: list[Any], *, required: bool) -> Any:
    """Return the value of an enumeration that a lifecycle starts with; None when none does."""
    by_word = {_word(value): value for value in reversed(values)}
    for state in document.get("x-initial-states", []):
        if _word(state) in by_word:
            return by_word[_word(state)]
    final = {_word(state) for state in document.get("x-final-states", [])}
    others = [value for value in values if _word(value) not in final]
    return (others or values)[0] if required and values else None


def _word(value: Any) -> str:
    return re.sub(r"[^a-z0-9]", "", str(value).lower())


def _allowed(compiler: SchemaCompiler, schema: Json, value: Any, *, text: bool) -> bool:
    if value == _NOW:
        plain = text and schema.get("type") == "string" and "format" not in schema
        return schema.get("format") == "date-time" or plain
    return compiler.compile(schema, View.RESPONSE).accepts(value)
