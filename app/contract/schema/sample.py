"""Samples: a value that a schema allows, as small as that goes, plain or chosen by the caller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jsonschema_rs

from app.contract.document.load import Json
from app.contract.schema.discriminator import discriminator_of
from app.contract.schema.schemas import attributes, follow, name_of

_DEEPEST = 12
_SCALARS = frozenset({"string", "number", "integer", "boolean"})
_OF_TEXTS = ("pattern", "minLength", "maxLength")
_TEXTS = {
    "date-time": "2026-03-02T09:30:00Z",
    "date": "2026-03-02",
    "time": "09:30:00Z",
    "uri": "https://example.com/sample",
    "url": "https://example.com/sample",
    "email": "sample@example.com",
    "duration": "PT1H",
    "hostname": "sample.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "c2FtcGxl",
    "uuid": "0b9d3f0a-2c1e-4f57-8f0a-6f6a3c1d9e21",
}
_LIKELY = (
    *("1", "12", "123", "1234", "12345", "1234567890", "123456789012345", "1.0", "1.0.0"),
    *("a", "A", "ab", "DE", "de", "de-DE", "EUR", "DEU", "ABCD", "true", "active", "ACTIVE"),
    *("+491234567890", "00491234567890", "/sample", "#", "#/", "09:30", "09:30:00", "P1D"),
    *("sample-1", "Sample", "SAMPLE", "sample_1", "192.0.2.1", "00:00:5e:00:53:01", "1a2b3c4d5e6f"),
)
"""What patterns of documents allow: numbers, codes of countries, languages and currencies, …"""
_LEFT_OUT = frozenset({"id", "href", "@baseType", "@schemaLocation"})
"""What a sample has only where it must: servers give these, or links and classes need sense.

References within a resource have an id all the same: answers may require it where requests do not.
"""


class Values:
    """What a sample takes where a schema leaves a choice: the plainest; free texts are `mark`."""

    def __init__(self, mark: str = "sample") -> None:
        self.mark = mark

    def one_of(self, options: Sequence[Any]) -> Any:
        """Return one of the values of an enumeration."""
        return options[0]

    def text(self, format: str) -> str:
        """Return a text of a format; a free one for a format that is not known."""
        return _TEXTS.get(format, self.mark)

    def number(self, least: float, most: float = math.inf) -> float:
        """Return a number that is not smaller than one, and not greater than another."""
        return min(max(1.5, least), most)

    def integer(self, least: int, most: float = math.inf) -> int:
        """Return an integer that is not smaller than one, and not greater than another."""
        return int(min(max(1, least), most))

    def boolean(self) -> bool:
        """Return true or false."""
        return True


def sample(
    document: Json,
    schema: Json,
    *,
    mark: str = "sample",
    whole: bool = True,
    values: Values | None = None,
) -> Any:
    """Return a value of a schema; its free texts contain `mark`.

    `whole` adds the optional scalar attributes of the outermost object; otherwise there are none
    but the mandatory ones. `values` are taken where the schema leaves a choice.
    """
    return _value(document, schema, values or Values(mark), 0, whole)


def is_scalar(document: Json, schema: Json) -> bool:
    """Whether a schema is one of texts, numbers or booleans."""
    return follow(document, schema).get("type") in _SCALARS


def _value(
    document: Json, schema: Json, values: Values, depth: int, whole: bool, called: str | None = None
) -> Any:
    """Return a value; `called` is its class where that only inherits the schema."""
    name = called or name_of(schema)
    schema = follow(document, schema)
    if "enum" in schema:
        return values.one_of(schema["enum"])
    if "const" in schema:
        return schema["const"]
    if "default" in schema and not isinstance(schema["default"], dict | list):
        return schema["default"]
    chosen = _chosen(document, schema, name)
    if chosen is not None:
        value, case = chosen
        heir = name if case in schema.get("allOf", ()) else None
        made = _value(document, case, values, depth, whole, heir)
        if isinstance(made, dict) and value:
            return made | {"@type": value} if "@type" in made else made
        return made
    if schema.get("type") == "array":
        count = max(schema.get("minItems", 0), 1 if depth <= 1 else 0)
        items = schema.get("items", {})
        return [_value(document, items, values, depth + 1, False) for _ in range(count)]
    described = attributes(document, schema)
    if described.properties or schema.get("type") == "object":
        return _object(document, schema, name, values, depth, whole)
    return _scalar(schema, values)


def _object(
    document: Json, schema: Json, name: str | None, values: Values, depth: int, whole: bool
) -> Json:
    described = attributes(document, schema)
    made: Json = {}
    for attribute, inner in described.properties.items():
        names_another = attribute == "id" and depth > 0 and is_scalar(document, inner)
        wanted = (
            attribute in described.required
            or names_another
            or (
                whole
                and attribute not in _LEFT_OUT
                and is_scalar(document, inner)
                and follow(document, inner).get("readOnly") is not True
            )
        )
        if wanted and depth < _DEEPEST:
            value = _value(document, inner, values, depth + 1, False)
            plain = follow(document, inner)
            if attribute in described.required or "pattern" not in plain or _fits(plain, value):
                made[attribute] = value
    if "@type" in made:
        made["@type"] = _type(document, schema, name)
    for attribute in described.required - made.keys():
        made[attribute] = values.mark  # required, and described nowhere
    return made


def _type(document: Json, schema: Json, name: str | None) -> str:
    """Return the value of `@type` that stands for a schema itself."""
    if name is None:  # written in place, of a class with rules beside it
        name = next(filter(None, map(name_of, schema.get("allOf", ()))), None)
    stated = schema.get("discriminator") or schema.get("x-open-discriminator") or {}
    for value, target in stated.get("mapping", {}).items():
        if target.rpartition("/")[2] == name:
            return str(value)
    return (name or "Sample").removesuffix("_FVO").removesuffix("_MVO").partition("_")[0]


def _chosen(document: Json, schema: Json, name: str | None) -> tuple[str, Json] | None:
    """Return one of the schemas that a union allows, and the class it stands for."""
    discriminator = discriminator_of(document, schema, name)
    if discriminator is not None and discriminator.union and discriminator.cases:
        value, target = next(iter(discriminator.cases.items()))
        return value, {"$ref": f"#/components/schemas/{target}"}
    for word in ("oneOf", "anyOf"):
        if schema.get(word) and not attributes(document, schema).properties:
            return "", schema[word][0]
    if len(schema.get("allOf", ())) == 1 and "properties" not in schema:
        return "", schema["allOf"][0]
    return None


def _scalar(schema: Json, values: Values) -> Any:
    match schema.get("type"):
        case "integer":
            least, most = _bounds(schema, 1)
            return values.integer(math.ceil(least), math.floor(most) if most < math.inf else most)
        case "number":
            return values.number(*_bounds(schema, 1.5))
        case "boolean":
            return values.boolean()
    text = values.text(schema.get("format", ""))
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength")
    text = (text + "x" * (shortest - len(text)))[:longest]
    if "pattern" not in schema:
        return text
    stated = [each for each in (schema.get("example"),) if isinstance(each, str)]
    texts = (*stated, text, text.replace("-", ""), *_LIKELY, *_TEXTS.values())
    return next((each for each in texts if _fits(schema, each)), text)


def _bounds(schema: Json, usual: float) -> tuple[float, float]:
    """Return the least number that a schema allows, `usual` where it states none, and the greatest.

    What excludes its bound is a boolean beside it, or another bound since OpenAPI 3.1.
    """
    least, most = schema.get("minimum"), schema.get("maximum", math.inf)
    step = 1 if schema.get("type") == "integer" else 0.25
    low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is True and least is not None:
        least += step
    elif not isinstance(low, bool) and low is not None:
        least = low + step
    if high is True:
        most -= step
    elif not isinstance(high, bool) and high is not None:
        most = high - step
    if least is None:
        least = min(usual, most)
    return least, most


def _fits(schema: Json, text: str) -> bool:
    """Whether a text has the length and the pattern of a schema; no text has a broken pattern."""
    rules = {name: schema[name] for name in _OF_TEXTS if name in schema}
    try:
        return jsonschema_rs.is_valid(rules, text)
    except ValueError:
        return False
