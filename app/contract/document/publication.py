"""Publication: the effective contract as tools for clients read it.

The server needs more than a client may read: the data of overlays that configures it, inheritance,
and unions that also accept classes which the document does not list. Code generators handle classes
without inheritance and unions of classes that `@type` alone tells apart (OpenAPI 3.0.3,
Discriminator Object), so that is how they are published. Whoever sends or meets classes that the
document does not list finds them accepted all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.document.validate import resolve
from app.contract.schema.discriminator import OPEN, Discriminator, discriminator_of
from app.contract.schema.schemas import attributes, follow, name_of

_DATA = frozenset({"example", "examples", "enum", "default", "const"})
_NAMES = frozenset({"properties", "schemas", "patternProperties", "mapping", "responses"})
"""Objects whose keys are names, not keywords."""
_CONFIGURATION = frozenset(
    {"x-managed-attributes", "x-initial-states", "x-final-states", "x-initial-values"}
    | {"x-request-rules", "x-error-responses", "x-index-hints", "x-party-paths", "x-fill"}
)
_CHOICES = frozenset({"oneOf", "anyOf", "not", "enum", "items", "if"})
_PREFIX = "#/components/schemas/"


def published(document: Json) -> Json:
    """Return an effective document in the form that is published."""
    return _without_unused(_Publication(_without_unused(document)).document())


class _Publication:
    def __init__(self, document: Json) -> None:
        self._document = document
        self._modern = document["openapi"].startswith("3.1")
        self._cases: dict[str, dict[str, None]] = {}
        """Classes that unions lead to, each with the values of its discriminator."""
        self._attribute: dict[str, str] = {}
        for union in _unions(document):
            for value, target in union.cases.items():
                self._cases.setdefault(target, {})[value] = None
                self._attribute[target] = union.attribute
        self._used_alone = {each.removeprefix(_PREFIX) for each in _uses(document)}

    def document(self) -> Json:
        """Return the whole document in its published form."""
        shown: Json = self._shown(self._document)
        schemas = shown.get("components", {}).get("schemas", {})
        for name in self._cases:
            schemas[self._case_name(name)] = self._case(name)
        self._name_bodies(shown)
        return shown

    def _shown(self, value: Any, name: str | None = None) -> Any:
        """Return a part of the document in its published form; `name` is a component's."""
        if isinstance(value, list):
            return [self._shown(each) for each in value]
        if not isinstance(value, dict):
            return value
        union = discriminator_of(self._document, value, None) if _is_union(value) else None
        if union is not None and union.cases:
            return self._union(value, union)
        if "allOf" in value and self._is_class(value):
            value = self._flat(value)
        shown: Json = {}
        for key, inner in value.items():
            if key in _CONFIGURATION or key in (OPEN, "discriminator"):
                continue
            if key in ("anyOf", "oneOf") and "properties" in value and _is_condition(inner):
                # Said in a way that generators make no classes of: it is not so that none holds.
                shown["not"] = {"not": {key: inner}}
                continue
            if key in _NAMES and isinstance(inner, dict):
                shown[key] = {
                    each: self._shown(part, each)
                    for each, part in inner.items()
                    if not (key == "properties" and _is_refused(part))
                }
            else:
                shown[key] = inner if key in _DATA else self._shown(inner)
        return _with_null(shown) if self._modern and shown.get("nullable") is True else shown

    def _union(self, value: Json, union: Discriminator) -> Json:
        targets = {
            each: f"{_PREFIX}{self._case_name(target)}" for each, target in union.cases.items()
        }
        shown = {
            key: inner
            for key, inner in value.items()
            if key not in ("anyOf", "oneOf", "type", OPEN, "discriminator", "properties")
        }
        shown["oneOf"] = [{"$ref": each} for each in dict.fromkeys(targets.values())]
        shown["discriminator"] = {"propertyName": union.attribute, "mapping": targets}
        return shown

    def _case_name(self, name: str) -> str:
        """Return the component of a class within unions, where the class is told by one value."""
        return f"{name}_Case" if name in self._used_alone else name

    def _case(self, name: str) -> Json:
        shown: Json = self._shown(self._flat({"$ref": f"{_PREFIX}{name}"}))
        attribute = self._attribute[name]
        declared = shown.get("properties", {}).get(attribute, {})
        words = {key: each for key, each in declared.items() if key == "description"}
        told = {"type": "string", "enum": [*self._cases[name]], **words}
        shown["properties"] = {**shown.get("properties", {}), attribute: told}
        shown["required"] = sorted({*shown.get("required", ()), attribute})
        return shown

    def _is_class(self, schema: Json) -> bool:
        """Whether a schema is composed of objects alone."""
        schema = follow(self._document, schema)
        if schema.keys() & _CHOICES or schema.get("type", "object") != "object":
            return False
        parts = schema.get("allOf", ())
        whole = "properties" in schema or len(parts) > 1 or schema.get("type") == "object"
        return (whole or not parts) and all(self._is_part(part) for part in parts)

    def _is_part(self, schema: Json) -> bool:
        schema = follow(self._document, schema)
        if schema.keys() & _CHOICES or schema.get("type", "object") != "object":
            return False
        return all(self._is_part(part) for part in schema.get("allOf", ()))

    def _flat(self, schema: Json) -> Json:
        """Return a class with all that it inherits written out."""
        described = attributes(self._document, schema)
        schema = follow(self._document, schema)
        flat = {
            key: value for key, value in schema.items() if key not in ("allOf", "properties", OPEN)
        }
        flat["type"] = "object"
        if described.properties:
            flat["properties"] = described.properties
        if described.required:
            flat["required"] = sorted(described.required)
        return flat

    def _name_bodies(self, shown: Json) -> None:
        """Make request bodies that are a class with rules beside it components of their own."""
        schemas = shown.setdefault("components", {}).setdefault("schemas", {})
        for path, method, operation in operations(self._document):
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                parts = content.get("schema", {}).get("allOf", ())
                name = name_of(parts[0]) if parts else None
                if name is None:
                    continue
                if name in self._used_alone or name in self._cases:
                    name = f"{name}_Request"
                here = shown["paths"][path][method]["requestBody"]["content"][media_type]
                if "properties" not in here["schema"]:
                    continue  # a list of operations with a bound beside it
                schemas[name] = here["schema"]
                here["schema"] = {"$ref": f"{_PREFIX}{name}"}


def _is_condition(branches: Any) -> bool:
    """Whether alternatives only say which of an object's attributes are required.

    Generators make classes without attributes of them, where they are published as such.
    """
    return all(each.keys() <= {"required"} for each in branches)


def _is_refused(schema: Any) -> bool:
    """Whether an attribute of a patch is declared only to refuse it.

    Made clients send such attributes as null.
    """
    return isinstance(schema, dict) and schema.keys() == {"readOnly", "description"}


def _is_union(schema: Json) -> bool:
    stated = schema.get(OPEN) or schema.get("discriminator")
    return isinstance(stated, dict) and bool(schema.get("anyOf") or schema.get("oneOf"))


def _unions(document: Json) -> Iterator[Discriminator]:
    """Yield the discriminators of all unions of a document."""
    for schema in _objects(document):
        union = discriminator_of(document, schema, None) if _is_union(schema) else None
        if union is not None and union.cases:
            yield union


def _objects(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for each in value:
            yield from _objects(each)
    elif isinstance(value, dict):
        yield value
        for each in _parts(value):
            yield from _objects(each)


def _parts(value: Json) -> Iterator[Any]:
    """Yield what an object is described by, examples and other data left out."""
    for key, each in value.items():
        if key in _NAMES and isinstance(each, dict):
            yield from each.values()
        elif key not in _DATA:
            yield each


def _uses(value: Any, *, inherited: bool = False) -> Iterator[str]:
    """Yield the references that stand for a value, not for what is inherited or a union's case."""
    if isinstance(value, list):
        for each in value:
            yield from _uses(each, inherited=inherited)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str) and not inherited:
            yield value["$ref"]
        for key, each in value.items():
            cases = key in ("anyOf", "oneOf") and _is_union(value)
            composed = key == "allOf" and len(each) > 1
            if key in _NAMES and isinstance(each, dict):
                yield from _uses(list(each.values()))
            elif key not in _DATA:
                yield from _uses(each, inherited=cases or composed)


def _without_unused(document: Json) -> Json:
    """Return a document without the components that no operation leads to."""
    components = document.get("components", {})
    used: set[str] = set()
    waiting = [{name: part for name, part in document.items() if name != "components"}]
    while waiting:
        for reference in set(_references(waiting.pop())) - used:
            used.add(reference)
            waiting.append(resolve(document, reference))
    kept = {
        kind: {
            name: part
            for name, part in parts.items()
            if kind == "securitySchemes" or f"#/components/{kind}/{name}" in used
        }
        for kind, parts in components.items()
    }
    return {**document, "components": {kind: parts for kind, parts in kept.items() if parts}}


def _references(value: Any) -> Iterator[str]:
    for each in _objects(value):
        if isinstance(each.get("$ref"), str):
            yield each["$ref"]
        if "propertyName" in each and isinstance(each.get("mapping"), dict):
            yield from (other for other in each["mapping"].values() if other.startswith("#/"))
        if isinstance(each.get("examples"), dict):
            yield from _references(list(each["examples"].values()))


def _with_null(schema: Json) -> Json:
    """Say `nullable` as OpenAPI 3.1 does."""
    schema = {name: value for name, value in schema.items() if name != "nullable"}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
