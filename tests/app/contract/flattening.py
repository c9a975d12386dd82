"""An OpenAPI document as a flat list of attributes, read without any code of the application.

`attributes_of` reads documents as their authors wrote them, Swagger 2.0 or OpenAPI 3, and returns
for each body of each operation the attributes at every depth, with what the schema says of each.
The tests of differences between contracts compare two such lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Flat: TypeAlias = dict[str, "Attribute"]

_METHODS = ("get", "put", "post", "delete", "patch")
_DEEPEST = 10
_COMBINED = ("oneOf", "anyOf")


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a document says of the values at one place, whichever class they are of.

    `values` are those of an enum, `names` the components that the place refers to. `cut` says that
    what lies below is left out, because it repeats what lies above.
    """

    kind: str
    required: bool
    values: frozenset[str] | None
    names: frozenset[str]
    cut: bool


def attributes_of(document: Json) -> dict[tuple[str, str], Flat]:
    """Return the attributes of each body: by method and path, and `request` or `answer`."""
    reader = _Reader(document)
    found = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                key = f"{method.upper()} {re.sub('{[^{}]+}', '{id}', path.rstrip('/') or '/')}"
                for use, schema in reader.bodies(item[method]):
                    found[key, use] = reader.flat(schema)
    return found


class _Reader:
    def __init__(self, document: Json) -> None:
        self._document = document
        components = document.get("components", {})
        self._schemas: Json = document.get("definitions") or components.get("schemas", {})

    def bodies(self, operation: Json) -> Iterator[tuple[str, Json]]:
        """Yield the schema of the request, and of the first success that has a body."""
        for parameter in operation.get("parameters", ()):
            if self._behind(parameter).get("in") == "body":
                yield "request", self._behind(parameter)["schema"]
        request = self._behind(operation.get("requestBody", {}))
        yield from (("request", each) for each in self._content(request))
        successes = sorted(code for code in operation["responses"] if str(code).startswith("2"))
        for code in successes:
            response = self._behind(operation["responses"][code])
            schemas = [response["schema"]] if "schema" in response else self._content(response)
            if schemas:
                yield "answer", schemas[0]
                return

    def _content(self, holder: Json) -> list[Json]:
        content = holder.get("content", {})
        plain = sorted(content, key=lambda name: not name.startswith("application/json;"))
        exact = [name for name in plain if name == "application/json"]
        return [
            content[name]["schema"] for name in (exact + plain)[:1] if "schema" in content[name]
        ]

    def flat(self, schema: Json) -> Flat:
        found: Flat = {}
        self._walk("", [schema], True, (), found)
        return found

    def _walk(
        self, place: str, schemas: list[Json], required: bool, above: tuple[Any, ...], found: Flat
    ) -> None:
        variants = [each for schema in schemas for each in self._variants(schema, frozenset())]
        kinds = {_kind_of(each) for each in variants}
        kinds -= {"integer"} if "number" in kinds else set()
        values = [each.get("enum") for each in variants]
        inside = [self._unwrapped(each) for each in schemas]
        names = frozenset(str(each["$ref"]) for each in inside if "$ref" in each)
        cut = (bool(names) and names in above) or len(above) > _DEEPEST
        found[place] = Attribute(
            "any" if "any" in kinds else " or ".join(sorted(kinds)),
            required,
            None if None in values else frozenset(str(v) for each in values for v in each or ()),
            frozenset(name.rpartition("/")[2] for name in names),
            cut,
        )
        if cut:
            return
        within = (*above, names)
        items = [each["items"] for each in variants if "items" in each]
        if items and "any" not in kinds:
            self._walk(f"{place}[]", items, True, within, found)
        inner: dict[str, list[Json]] = {}
        for variant in variants:
            for name, schema in variant.get("properties", {}).items():
                if schema not in inner.setdefault(name, []):
                    inner[name].append(schema)
        for name, alternatives in inner.items():
            needed = all(name in each.get("required", ()) for each in variants)
            self._walk(f"{place}.{name}", alternatives, needed, within, found)

    def _variants(self, schema: Json, seen: frozenset[str]) -> list[Json]:
        """Return what a value may be: one merged schema for each class or alternative."""
        name = str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None
        if self._unwrapped(schema) is not schema:
            inside = self._variants(self._unwrapped(schema), seen)
            return [_merged(each, self._whole(schema)) for each in inside]
        schema = self._behind(schema)
        whole = self._whole(schema)
        unions = [each for word in _COMBINED for each in schema.get(word, ())]
        if not unions and name is not None and name not in seen:
            unions = [{"$ref": f"{self._prefix()}{each}"} for each in self._classes(schema, name)]
        if not unions or name in seen:
            return [whole]
        below = seen | ({name} if name else set())
        return [_merged(whole, each) for member in unions for each in self._variants(member, below)]

    def _unwrapped(self, schema: Json) -> Json:
        """Return what a schema adds nothing to, `allOf` around one reference."""
        parts = schema.get("allOf", [])
        if "$ref" in schema or len(parts) != 1 or "properties" in schema:
            return schema
        return self._unwrapped(parts[0])

    def _whole(self, schema: Json) -> Json:
        """Return a schema with what `allOf` brings, at every depth."""
        schema = self._behind(schema)
        whole: Json = {}
        for part in schema.get("allOf", ()):
            whole = _merged(whole, self._whole(part))
        return _merged(whole, {key: schema[key] for key in schema if key != "allOf"})

    def _classes(self, schema: Json, name: str) -> list[str]:
        stated = schema.get("discriminator")
        if not isinstance(stated, dict):
            return []
        mapped = [str(each).rpartition("/")[2] for each in stated.get("mapping", {}).values()]
        if not mapped:
            reference = f"{self._prefix()}{name}"
            mapped = [
                other
                for other, each in self._schemas.items()
                if any(part.get("$ref") == reference for part in each.get("allOf", ()))
            ]
        return sorted({each for each in mapped if each in self._schemas})

    def _prefix(self) -> str:
        return "#/definitions/" if "definitions" in self._document else "#/components/schemas/"

    def _behind(self, value: Json) -> Json:
        while "$ref" in value:
            target: Any = self._document
            for part in value["$ref"].split("/")[1:]:
                target = target[part.replace("~1", "/").replace("~0", "~")]
            value = target
        return value


def _merged(one: Json, other: Json) -> Json:
    merged = {**one, **other}
    merged["properties"] = {**one.get("properties", {}), **other.get("properties", {})}
    merged["required"] = [*one.get("required", ()), *other.get("required", ())]
    return merged


def _kind_of(schema: Json) -> str:
    stated = schema.get("type")
    if isinstance(stated, list):
        return " or ".join(sorted(each for each in stated if each != "null"))
    return str(stated) if stated else "object" if schema.get("properties") else "any"
