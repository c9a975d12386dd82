"""Schema Objects of a normalised document: following references, collecting attributes."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.contract.load import Json
from app.contract.validate import resolve


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes an object schema declares, with what `allOf` brings."""

    properties: Json = field(default_factory=dict)
    required: frozenset[str] = frozenset()


def follow(document: Json, schema: Json) -> Json:
    """Return the schema behind any `$ref`."""
    while "$ref" in schema:
        schema = resolve(document, schema["$ref"])
    return schema


def name_of(schema: Json) -> str | None:
    """Return the component name a schema refers to, None for an inline schema."""
    reference = schema.get("$ref", "")
    return reference.rpartition("/")[2] if reference else None


def attributes(document: Json, schema: Json) -> Attributes:
    """Collect the attributes of an object schema."""
    schema = follow(document, schema)
    properties: Json = {}
    required: set[str] = set()
    for part in schema.get("allOf", []):
        inherited = attributes(document, part)
        properties.update(inherited.properties)
        required.update(inherited.required)
    properties.update(schema.get("properties", {}))
    required.update(schema.get("required", []))
    return Attributes(properties, frozenset(required))


def body_schema(operation: Json) -> Json | None:
    """Return the schema of an operation's JSON request body."""
    return _json_schema(operation.get("requestBody", {}).get("content", {}))


def success_schema(operation: Json) -> Json | None:
    """Return the schema of an operation's first successful JSON response."""
    for code in sorted(operation["responses"]):
        if code.startswith("2"):
            schema = _json_schema(operation["responses"][code].get("content", {}))
            if schema is not None:
                return schema
    return None


def _json_schema(content: Json) -> Json | None:
    for media_type in ("application/json", *content):
        if media_type in content:
            schema: Json | None = content[media_type].get("schema")
            return schema
    return None
