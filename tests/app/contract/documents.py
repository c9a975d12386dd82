"""Random JSON values that a schema allows, for tests that need many."""

from __future__ import annotations

import base64
from random import Random
from typing import Any

from app.contract.document.load import Json
from app.contract.schema.discriminator import discriminator_of
from app.contract.schema.schemas import attributes, follow, name_of

_DEEPEST = 5


def random_value(document: Json, schema: Json, random: Random, depth: int = 0) -> Any:
    """Return a value that the schema allows; optional attributes come and go."""
    name = name_of(schema)
    schema = follow(document, schema)
    if "enum" in schema:
        return random.choice(schema["enum"])
    discriminator = discriminator_of(document, schema, name)
    if discriminator is not None and discriminator.union:
        value, target = random.choice(sorted(discriminator.cases.items()))
        chosen = {"$ref": f"#/components/schemas/{target}"}
        made = random_value(document, chosen, random, depth)
        return {**made, discriminator.attribute: value}
    described = attributes(document, schema)
    if described.properties:
        return {
            attribute: random_value(document, inner, random, depth + 1)
            for attribute, inner in described.properties.items()
            if attribute in described.required or (depth < _DEEPEST and random.random() < 0.5)
        }
    match schema.get("type"):
        case "array":
            count = random.choice((0, 1, 2)) if depth < _DEEPEST else 0
            return [random_value(document, schema["items"], random, depth) for _ in range(count)]
        case "boolean":
            return random.random() < 0.5
        case "integer":
            return random.randint(-5, 5)
        case "number":
            return random.choice((0, 1, -2.5, 3.75))
        case "object":
            return {}
    return _text(schema.get("format"), random)


def _text(format: str | None, random: Random) -> str:
    match format:
        case "date-time":
            return f"2026-{random.randint(1, 12):02}-{random.randint(1, 28):02}T10:00:00Z"
        case "uri":
            return f"https://example.com/{random.randint(0, 99)}"
        case "byte" | "base64":
            return base64.b64encode(random.randbytes(random.randint(0, 9))).decode()
    return random.choice(("", "a", "Ünïcode ✓", "PartyRef", "42", "/channel/a", "RelatedChannel"))
