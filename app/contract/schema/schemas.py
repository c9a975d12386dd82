"""Schema Objects of a normalised document: following references, collecting attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.contract.document.load import Json
from app.contract.document.normalise import is_json
from app.contract.document.validate import resolve

_MOST_REMEMBERED = 10_000
_MOST_ALTERNATIVES = 8
"""How deep alternatives may lie within alternatives."""


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


def element_of(document: Json, schema: Json) -> Json:
    """Return the schema of a list's elements; the schema itself where it is no list's."""
    followed = follow(document, schema)
    items: Json = followed.get("items", {}) if followed.get("type") == "array" else schema
    return items


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


class AttributePaths:
    """Answers for a resource schema which attributes it has, at any depth."""

    def __init__(self, document: Json, schema: Json) -> None:
        self._document = document
        self._schema = schema
        self._found: dict[tuple[str, ...], tuple[Json, bool] | None] = {}
        self._types: dict[tuple[str, ...], str | None] = {}

    def knows(self, path: tuple[str, ...]) -> bool:
        """Whether the contract has an attribute at this path."""
        return self._find(path) is not None

    def is_instant(self, path: tuple[str, ...]) -> bool:
        """Whether the attribute at this path is a date-time."""
        found = self._find(path)
        return found is not None and found[0].get("format") == "date-time"

    def is_array(self, path: tuple[str, ...]) -> bool:
        """Whether the attribute at this path is an array."""
        schema = self.schema_at(path)
        return schema is not None and schema.get("type") == "array"

    def type_of(self, path: tuple[str, ...]) -> str | None:
        """Return the type of the values at this path, None when it is not known or not one.

        It is "date-time", or a type of JSON Schema; an array has the type of its elements.
        """
        if path not in self._types:
            if len(self._types) > _MOST_REMEMBERED:
                self._types.clear()
            types = {_type_of(each) for each in self._all_at(path)}
            self._types[path] = types.pop() if len(types) == 1 else None
        return self._types[path]

    def names(self, path: tuple[str, ...]) -> frozenset[str]:
        """Return the names of the attributes that objects at this path have."""
        return frozenset(
            name
            for schema in self._all_at(path)
            for each in self._alternatives(schema)
            for name in attributes(self._document, each).properties
        )

    def schema_at(self, path: tuple[str, ...]) -> Json | None:
        """Return the schema of the attribute at this path, None when there is none.

        A list is returned as such, and walked through where the path goes on.
        """
        holder = self._find(path[:-1])
        found = self._attribute(holder[0], path[-1]) if holder else None
        while found is not None:
            found = follow(self._document, found)
            if len(found.get("allOf", ())) != 1 or "enum" in found:
                break
            found = found["allOf"][0]  # a reference with a description beside it
        return found

    def crosses_array(self, path: tuple[str, ...]) -> bool:
        """Whether an array lies on the path, or at its end."""
        found = self._find(path)
        return found is not None and found[1]

    def _find(self, path: tuple[str, ...]) -> tuple[Json, bool] | None:
        """Return the schema of the values at a path, and whether an array lies on it."""
        if path not in self._found:
            if len(self._found) > _MOST_REMEMBERED:
                self._found.clear()  # clients choose the paths
            self._found[path] = self._search(path)
        return self._found[path]

    def _search(self, path: tuple[str, ...]) -> tuple[Json, bool] | None:
        schema, many = self._elements(self._schema)
        for name in path:
            found = self._attribute(schema, name)
            if found is None:
                return None
            schema, array = self._elements(found)
            many = many or array
        return schema, many

    def _attribute(self, schema: Json, name: str, depth: int = 0) -> Json | None:
        """Return the schema of an attribute, in whichever alternative has it."""
        schema = follow(self._document, schema)
        found: Json | None = attributes(self._document, schema).properties.get(name)
        if found is not None or depth > _MOST_ALTERNATIVES:
            return found
        for word in ("oneOf", "anyOf", "allOf"):
            for part in schema.get(word, []):
                found = self._attribute(part, name, depth + 1)
                if found is not None:
                    return found
        return None

    def _all_at(self, path: tuple[str, ...]) -> list[Json]:
        """Return the schemas of the values at a path: one for each alternative on the way."""
        schemas = [self._elements(self._schema)[0]]
        for name in path:
            found = {
                id(declared): declared
                for schema in schemas
                for each in self._alternatives(schema)
                if (declared := attributes(self._document, each).properties.get(name)) is not None
            }
            elements = [self._elements(each)[0] for each in found.values()]
            schemas = list({id(each): each for each in elements}.values())
        return schemas

    def _alternatives(self, schema: Json, depth: int = 0) -> Iterator[Json]:
        """Yield a schema and every alternative within it."""
        schema = follow(self._document, schema)
        yield schema
        if depth <= _MOST_ALTERNATIVES:
            for word in ("oneOf", "anyOf", "allOf"):
                for part in schema.get(word, []):
                    yield from self._alternatives(part, depth + 1)

    def _elements(self, schema: Json) -> tuple[Json, bool]:
        schema, many = follow(self._document, schema), False
        while schema.get("type") == "array":
            schema, many = follow(self._document, schema.get("items", {})), True
        return schema, many


def _type_of(schema: Json) -> str | None:
    if schema.get("format") == "date-time":
        return "date-time"
    stated = schema.get("type")
    types = [each for each in stated if each != "null"] if isinstance(stated, list) else [stated]
    return types[0] if len(types) == 1 else None


def body_schema(operation: Json) -> Json | None:
    """Return the schema of an operation's JSON request body; None for one that is not JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    return _json_schema({name: each for name, each in content.items() if is_json(name)})


def success_schema(operation: Json) -> Json | None:
    """Return the schema of an operation's first successful JSON response.

    That is the default one where no other success is declared.
    """
    codes = [code for code in sorted(operation["responses"]) if code.startswith("2")]
    return _response_schema(operation, codes or operation["responses"].keys() & {"default"})


def failure_schema(operation: Json) -> Json | None:
    """Return the schema of an operation's first JSON response that tells of an error."""
    codes = [code for code in sorted(operation["responses"]) if not code.startswith("2")]
    return _response_schema(operation, codes)


def _response_schema(operation: Json, codes: Iterable[str]) -> Json | None:
    for code in codes:
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
