"""Acceptance: know at once that a document is valid, where that is plain to see.

`validate` asks openapi-spec-validator, which takes longer than all other steps together, and is
loaded only to be asked. What it looks at is known: the OpenAPI schema that it comes with, the JSON
Schema draft that schemas are in, and rules for tags, operationIds, parameters, required attributes
and defaults. Here the two schemas are compiled, and each rule is held in a form that may be too
strict. So what is accepted here is valid there, and whatever is not is left to `validate`, which
decides, and says what is wrong.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema_rs

from app.contract.document.load import Json
from app.contract.document.validate import bad_references, resolve

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_CONTAINERS = re.compile(
    r"#/(components/(schemas|parameters|responses)|definitions|parameters|responses)/[^/]+"
)
"""What a reference may lead to, so that it is looked at in its own place."""
_PARTS = ("allOf", "anyOf", "oneOf")
_SAYS_NOTHING_OF_VALUES = frozenset(
    {"type", "format", "default", "enum", "description", "title", "example", "readOnly"}
)
_FORMATS = {"number": ("float", "double", None), "integer": ("int32", "int64", None)}


class _Doubt(Exception):
    """It takes a closer look to tell."""


def is_plainly_valid(document: Json) -> bool:
    """Whether `validate` would find nothing wrong; False also where that is not plain to see."""
    version = str(document.get("openapi") or document.get("swagger") or "")[:3]
    whole, schema = _schema_of_documents(version), _schema_of_schemas()
    if whole is None or schema is None:
        return False
    if any(bad_references(document)) or not whole.is_valid(document):
        return False
    try:
        _look_at_tags(document)
        schemas = [*_named(document, "schemas", "definitions"), *_look_at_paths(document)]
        for each in schemas:
            if not schema.is_valid(each):
                return False
            _look_at_schema(document, each)
    except (_Doubt, LookupError, TypeError, ValueError, AttributeError, RecursionError, re.error):
        return False
    return True


@cache
def _schema_of_documents(version: str) -> Any:
    """Return the schema of documents; None where there is none.

    Schemas of OpenAPI 3.1 are in any dialect that they name, and take a closer look.
    """
    if version not in ("2.0", "3.0"):
        return None
    return _compiled("openapi_spec_validator", f"resources/schemas/v{version}/schema.json")


@cache
def _schema_of_schemas() -> Any:
    """Return JSON Schema draft 4, which schemas of Swagger 2.0 and OpenAPI 3.0 are held against."""
    return _compiled("jsonschema_specifications", "schemas/draft4/metaschema.json")


def _compiled(package: str, path: str) -> Any:
    """Return a schema of a package, which is looked into and not imported; None without it."""
    found = find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        file = Path(folder, path)
        if file.is_file():
            schema = json.loads(file.read_bytes())
            return jsonschema_rs.validator_cls_for(schema)(schema, validate_formats=True)
    return None


def _look_at_tags(document: Json) -> None:
    names = [tag["name"] for tag in document.get("tags", [])]
    if len({*names}) != len(names):
        raise _Doubt


def _look_at_paths(document: Json) -> Iterator[Json]:
    """Look at every operation; yield the schemas on the way."""
    operation_ids: set[str] = set()
    for each in _named(document, "parameters"):
        yield from _look_at_parameters(document, [each])
    for each in _named(document, "responses"):
        yield from _schemas_of(each)
    for path, item in document["paths"].items():
        if not path.startswith("/") or "$ref" in item:
            raise _Doubt
        shared = item.get("parameters", [])
        yield from _look_at_parameters(document, shared)
        for method in _METHODS:
            if method not in item:
                continue
            operation = item[method]
            id = operation.get("operationId")
            if id in operation_ids:
                raise _Doubt
            if id is not None:
                operation_ids.add(id)
            own = operation.get("parameters", [])
            yield from _look_at_parameters(document, own)
            declared = {
                each["name"]
                for each in _followed(document, [*shared, *own])
                if each["in"] == "path"
            }
            if declared != {each[1] for each in string.Formatter().parse(path) if each[1]}:
                raise _Doubt
            for response in _followed(document, operation["responses"].values()):
                yield from _schemas_of(response)


def _look_at_parameters(document: Json, parameters: list[Json]) -> Iterator[Json]:
    seen: set[tuple[str, str]] = set()
    for each in _followed(document, parameters):
        if (each["name"], each["in"]) in seen:
            raise _Doubt
        seen.add((each["name"], each["in"]))
        if "schema" in each:
            yield each["schema"]
        elif "default" in each:
            _look_at_default(each, frozenset({"name", "in", "required"}))


def _schemas_of(response: Json) -> Iterator[Json]:
    holders = [response, *response.get("content", {}).values()]
    yield from (each["schema"] for each in holders if "schema" in each)


def _look_at_schema(document: Json, schema: Any) -> None:
    """Look at a schema and those within it; what it refers to is looked at in its own place."""
    if isinstance(schema, bool):
        return
    if "$ref" in schema:
        if not _CONTAINERS.fullmatch(schema["$ref"]):
            raise _Doubt
        return
    if "pattern" in schema:
        re.compile(schema["pattern"])
    if "default" in schema:
        _look_at_default(schema)
    if "allOf" in schema:
        known = {*schema.get("properties", {})}
        for each in schema["allOf"]:
            known |= _attributes(document, each)
        if not {*schema.get("required", [])} <= known:
            raise _Doubt
    for word in _PARTS:
        for each in schema.get(word, []):
            _look_at_schema(document, each)
    for word in ("not", "items", "additionalProperties"):
        if word in schema:
            _look_at_schema(document, schema[word])
    for each in schema.get("properties", {}).values():
        _look_at_schema(document, each)


def _look_at_default(schema: Json, beside: frozenset[str] = frozenset()) -> None:
    """Look at a default, where few words say what it may be."""
    words = {each for each in schema if not each.startswith("x-")} - beside
    formats = _FORMATS.get(schema.get("type", ""), (None,))
    if not words <= _SAYS_NOTHING_OF_VALUES or schema.get("format") not in formats:
        raise _Doubt
    rules: Json = {name: schema[name] for name in ("type", "enum") if name in schema}
    value = schema["default"]
    if isinstance(value, dict | list) or (isinstance(value, int) and abs(value) >= 2**31):
        raise _Doubt
    if not jsonschema_rs.Draft4Validator(rules).is_valid(value):
        raise _Doubt


def _attributes(document: Json, schema: Json) -> set[str]:
    """Return the attributes of a schema and of all that it is made of.

    Circular schemas, of which there is no end here, are none that openapi-spec-validator accepts.
    """
    (schema,) = _followed(document, [schema])
    found = {*schema.get("properties", {})}
    inner = [each for word in _PARTS for each in schema.get(word, [])]
    for each in [*inner, *(schema[word] for word in ("items", "not") if word in schema)]:
        found |= _attributes(document, each)
    return found


def _named(document: Json, *names: str) -> Iterator[Any]:
    """Yield what the document keeps under names of its own, in either release's place."""
    for holder in (document, document.get("components", {})):
        for name in names:
            yield from _followed(document, holder.get(name, {}).values())


def _followed(document: Json, values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        while "$ref" in value:
            if not _CONTAINERS.fullmatch(value["$ref"]):
                raise _Doubt
            value = resolve(document, value["$ref"])
        yield value
