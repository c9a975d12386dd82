"""Repair the errors of a document that leave only one possible meaning.

Published documents, and vendors' copies of them, contain errors that most tools do not report: a
duplicate operationId, an undeclared path parameter, a default of the wrong type. They do not change
what has to be served, so they do not stop the server. `tmf683 check` lists every repair; all other
errors are left for `validate` to report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from app.contract.document.load import Json
from app.contract.document.upgrade import METHODS
from app.contract.document.validate import resolve
from app.contract.errors import Problem, pointer

_PARAMETER = re.compile(r"\{([^/{}]+)\}")
_DATA = frozenset({"example", "examples", "enum", "default"})
_SCHEMAS_IN = frozenset({"items", "additionalProperties", "not", "allOf", "oneOf", "anyOf"})

_TYPE = frozenset({"type", "enum"})
_RULES = _TYPE | {"format", "pattern", "minLength", "maxLength", "minimum", "maximum"}

Place = tuple[str | int, ...]


def repair(document: Json) -> tuple[Problem, ...]:
    """Repair the document in place and return what was wrong with it."""
    found = [*_repair_head(document), *_repair_operations(document)]
    for place, schema in list(schemas_of(document)):
        found += _repair_schema(schema, place)
    return tuple(found)


def _repair_head(document: Json) -> Iterator[Problem]:
    info = document.get("info")
    if not isinstance(info, dict):
        return
    if isinstance(info.get("version"), int | float):
        info["version"] = str(info["version"])
        yield Problem("/info/version", "is a number, not a text")
    for name, sound in (("contact", _is_sound_contact), ("license", _is_sound_license)):
        if name in info and not sound(info[name]):
            del info[name]
            yield Problem(f"/info/{name}", "is not one; left out")
    base = document.get("basePath")
    if isinstance(base, str) and not base.startswith("/"):
        document["basePath"] = f"/{base}"
        yield Problem("/basePath", "does not begin with a slash")
    if "/" in str(document.get("host", "")):
        del document["host"]
        yield Problem("/host", "is more than a host; left out")


def _is_sound_contact(contact: Any) -> bool:
    if not isinstance(contact, dict):
        return False
    return "@" in contact.get("email", "@") and "://" in contact.get("url", "://")


def _is_sound_license(license: Any) -> bool:
    return isinstance(license, dict) and "name" in license and "://" in license.get("url", "://")


def _repair_operations(document: Json) -> Iterator[Problem]:
    taken: set[str] = set()
    for path, item in _objects(document.get("paths")):
        wanted = _PARAMETER.findall(path)
        shared = _without_unknown_parameters(document, item, wanted)
        for method in METHODS:
            operation = item.get(method)
            if not isinstance(operation, dict):
                continue
            place: Place = ("paths", path, method)
            id = operation.get("operationId")
            if isinstance(id, str) and id in taken:
                del operation["operationId"]
                yield Problem(pointer(place), f"has the operationId {id!r} of another; left out")
            elif isinstance(id, str):
                taken.add(id)
            declared = shared | _without_unknown_parameters(document, operation, wanted)
            for name in wanted:
                if name not in declared:
                    operation.setdefault("parameters", []).append(_path_parameter(document, name))
                    yield Problem(pointer(place), f"does not declare its path parameter {name!r}")
            for code, response in _objects(operation.get("responses")):
                if not response.keys() & {"description", "$ref"}:
                    response["description"] = ""
                    yield Problem(pointer((*place, "responses", code)), "has no description")


def _without_unknown_parameters(document: Json, holder: Json, wanted: list[str]) -> set[str]:
    """Return the path parameters declared, without those that the path does not have."""
    parameters = holder.get("parameters")
    if not isinstance(parameters, list):
        return set()
    kept, declared = [], set()
    for parameter in parameters:
        plain = _followed(document, parameter)
        if plain.get("in") == "path":
            if plain.get("name") not in wanted:
                continue
            plain["required"] = True
            declared.add(plain["name"])
        kept.append(parameter)
    holder["parameters"] = kept
    return declared


def _path_parameter(document: Json, name: str) -> Json:
    text = {"type": "string"}
    shape: Json = text if "swagger" in document else {"schema": text}
    return {"name": name, "in": "path", "required": True, **shape}


def _repair_schema(schema: Json, place: Place) -> Iterator[Problem]:
    if schema.get("type") == "file":  # the body of a download, which the validator does not know
        schema.update(type="string", format="binary")
    required = schema.get("required")
    if "name" not in schema and (isinstance(required, bool) or required == []):
        del schema["required"]
        yield Problem(pointer((*place, "required")), "is not a list of names; left out")
    if isinstance(schema.get("enum"), list):
        values = [_in_type(schema.get("type"), each) for each in schema["enum"]]
        if values != schema["enum"]:
            schema["enum"] = values
            rule = f"has values that are not of type {schema['type']}; read as such"
            yield Problem(pointer((*place, "enum")), rule)
    for name, rules in (("default", _RULES), ("example", _TYPE)):
        if name in schema and not _fits(schema, schema[name], rules):
            del schema[name]
            yield Problem(pointer((*place, name)), "is not of the attribute's type; left out")


def _in_type(type: Any, value: Any) -> Any:
    """Return the value of an enumeration in its type, where it is one that was quoted, or was not.

    Numbers stay as they are where their type is another number's.
    """
    if type == "string" and isinstance(value, int | float):
        return json.dumps(value)
    wanted = {"integer": int, "number": int | float, "boolean": bool}.get(type)
    if wanted is not None and isinstance(value, str):
        try:
            read = json.loads(value)
        except ValueError:
            return value
        sound = isinstance(read, wanted) and isinstance(read, bool) is (type == "boolean")
        return read if sound else value
    return value


def _fits(schema: Json, value: Any, rules: frozenset[str]) -> bool:
    """Whether a value breaks none of a schema's own rules with these names."""
    stated: Json = {name: schema[name] for name in schema.keys() & rules}
    if value is None and schema.get("nullable") is True:
        return True
    try:
        return jsonschema_rs.is_valid(stated, value, validate_formats=True)
    except ValueError:
        return True  # the schema itself is broken


def schemas_of(document: Json) -> Iterator[tuple[Place, Json]]:
    """Yield every schema of a document, with its place.

    Swagger's parameters, which are schemas in part, are among them.
    """
    return _schemas(document, ())


def _schemas(value: Any, place: Place, *, inside: bool = False) -> Iterator[tuple[Place, Json]]:
    """Yield every schema below a place; `inside` says that the value is one, or a list of them."""
    if isinstance(value, list):
        for position, each in enumerate(value):
            yield from _schemas(each, (*place, position), inside=inside)
        return
    if not isinstance(value, dict):
        return
    if inside or {"in", "name", "type"} <= value.keys():
        yield place, value
    for name, inner in value.items():
        here = (*place, name)
        if name in ("properties", "definitions", "schemas") and isinstance(inner, dict):
            for key, each in inner.items():
                yield from _schemas(each, (*here, key), inside=True)
        elif inside:
            yield from _schemas(inner, here, inside=True) if name in _SCHEMAS_IN else ()
        elif name not in _DATA:
            yield from _schemas(inner, here, inside=name == "schema")


def _objects(value: Any) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield from ((str(name), each) for name, each in value.items() if isinstance(each, dict))


def _followed(document: Json, value: Any) -> Json:
    try:
        while isinstance(value, dict) and "$ref" in value:
            value = resolve(document, value["$ref"])
    except (LookupError, AttributeError):
        return {}
    return value if isinstance(value, dict) else {}
