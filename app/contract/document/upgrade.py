"""Upgrade: turn Swagger 2.0 into OpenAPI 3.0, so that everything behind knows one dialect.

The rules are those of the two specifications' differences; nothing is added or lost but what
OpenAPI 3.0 has no word for (`collectionFormat: tsv`).
"""

from __future__ import annotations

import copy
from typing import Any

from app.contract.document.load import Json
from app.contract.document.validate import resolve

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")

_REFERENCES = {
    "#/definitions/": "#/components/schemas/",
    "#/parameters/": "#/components/parameters/",
    "#/responses/": "#/components/responses/",
}
_STYLES = {
    "csv": ("form", False),
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}
_FLOWS = {
    "implicit": "implicit",
    "password": "password",
    "application": "clientCredentials",
    "accessCode": "authorizationCode",
}
_PARAMETER_KEYS = ("name", "in", "description", "required", "allowEmptyValue")


def upgrade(document: Json) -> Json:
    """Return the document as OpenAPI 3; one that is already comes back as it is, copied."""
    document = copy.deepcopy(document)
    if "openapi" in document:
        return document
    upgraded: Json = {"openapi": "3.0.3", "info": document["info"]}
    upgraded["servers"] = [{"url": document.get("basePath", "/").rstrip("/") or "/"}]
    for name in ("tags", "externalDocs", "security"):
        if name in document:
            upgraded[name] = document[name]
    upgraded.update((name, value) for name, value in document.items() if name.startswith("x-"))
    upgraded["paths"] = {
        path: _path_item(document, item) for path, item in document["paths"].items()
    }
    upgraded["components"] = _components(document)
    result: Json = _with_new_references(upgraded)
    return result


def _components(document: Json) -> Json:
    produces = document.get("produces", ["application/json"])
    parts: Json = {
        "schemas": {
            name: _schema(schema) for name, schema in document.get("definitions", {}).items()
        },
        "parameters": {
            name: _parameter(parameter)
            for name, parameter in document.get("parameters", {}).items()
            if parameter["in"] not in ("body", "formData")
        },
        "responses": {
            name: _response(response, produces)
            for name, response in document.get("responses", {}).items()
        },
        "securitySchemes": {
            name: _security_scheme(scheme)
            for name, scheme in document.get("securityDefinitions", {}).items()
        },
    }
    return {name: part for name, part in parts.items() if part}


def _path_item(document: Json, item: Json) -> Json:
    shared = [_followed(document, parameter) for parameter in item.get("parameters", [])]
    upgraded: Json = {name: value for name, value in item.items() if name.startswith("x-")}
    plain = [_parameter(each) for each in shared if each["in"] not in ("body", "formData")]
    if plain:
        upgraded["parameters"] = plain
    bodies = [each for each in shared if each["in"] in ("body", "formData")]
    for method in METHODS:
        if method in item:
            upgraded[method] = _operation(document, item[method], bodies)
    return upgraded


def _operation(document: Json, operation: Json, shared_bodies: list[Json]) -> Json:
    consumes = operation.pop("consumes", document.get("consumes", ["application/json"]))
    produces = operation.pop("produces", document.get("produces", ["application/json"]))
    operation.pop("schemes", None)
    parameters = [_followed(document, each) for each in operation.pop("parameters", [])]
    bodies = [each for each in parameters if each["in"] in ("body", "formData")] or shared_bodies
    plain = [_parameter(each) for each in parameters if each["in"] not in ("body", "formData")]
    responses = operation.pop("responses")
    if plain:
        operation["parameters"] = plain
    if bodies:
        operation["requestBody"] = _request_body(bodies, consumes)
    operation["responses"] = {
        code: response if "$ref" in response else _response(response, produces)
        for code, response in responses.items()
    }
    return operation


def _followed(document: Json, parameter: Json) -> Json:
    """Inline a referenced parameter: as a body it has no counterpart to refer to."""
    if "$ref" not in parameter:
        return parameter
    target: Json = resolve(document, parameter["$ref"])
    return copy.deepcopy(target)


def _request_body(parameters: list[Json], consumes: list[str]) -> Json:
    body = parameters[0]
    if body["in"] == "body":
        upgraded: Json = {name: body[name] for name in ("description", "required") if name in body}
        upgraded["content"] = {media: {"schema": _schema(body["schema"])} for media in consumes}
        return upgraded
    parts = "multipart/form-data" in consumes or any(map(_is_file, parameters))
    media = "multipart/form-data" if parts else "application/x-www-form-urlencoded"
    schema: Json = {
        "type": "object",
        "properties": {each["name"]: _inline_schema(each) for each in parameters},
    }
    required = [each["name"] for each in parameters if each.get("required")]
    if required:
        schema["required"] = required
    return {"content": {media: {"schema": schema}}}


def _is_file(parameter: Json) -> bool:
    return parameter.get("type") == "file" or parameter.get("format") == "binary"


def _parameter(parameter: Json) -> Json:
    if "$ref" in parameter:
        return parameter
    upgraded: Json = {name: parameter[name] for name in _PARAMETER_KEYS if name in parameter}
    upgraded.update((name, value) for name, value in parameter.items() if name.startswith("x-"))
    if parameter.get("type") == "array":
        style, explode = _STYLES.get(parameter.get("collectionFormat", "csv"), ("form", False))
        if parameter["in"] == "query":
            upgraded["style"] = style
        upgraded["explode"] = explode
    upgraded["schema"] = _inline_schema(parameter)
    return upgraded


def _inline_schema(parameter: Json) -> Json:
    """Collect the schema keywords that Swagger 2.0 writes beside a parameter's name."""
    outside = {*_PARAMETER_KEYS, "collectionFormat"}
    schema: Json = _schema(
        {
            name: value
            for name, value in parameter.items()
            if name not in outside and not name.startswith("x-")
        }
    )
    return schema


def _response(response: Json, produces: list[str]) -> Json:
    upgraded: Json = {"description": response.get("description", "")}
    upgraded.update((name, value) for name, value in response.items() if name.startswith("x-"))
    if "headers" in response:
        upgraded["headers"] = {
            name: {
                **({"description": header["description"]} if "description" in header else {}),
                "schema": _inline_schema(header),
            }
            for name, header in response["headers"].items()
        }
    if "schema" in response:
        upgraded["content"] = {media: {"schema": _schema(response["schema"])} for media in produces}
    return upgraded


def _schema(schema: Any) -> Any:
    """Rewrite what the schema dialects spell differently, all the way down."""
    if isinstance(schema, list):
        return [_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    upgraded = {
        name: value if name in ("enum", "default", "example") else _schema(value)
        for name, value in schema.items()
    }
    if upgraded.get("type") == "file":
        upgraded.update(type="string", format="binary")
    if isinstance(upgraded.get("x-nullable"), bool):
        upgraded["nullable"] = upgraded.pop("x-nullable")
    if isinstance(upgraded.get("discriminator"), str):
        upgraded["discriminator"] = {"propertyName": upgraded["discriminator"]}
    return upgraded


def _security_scheme(scheme: Json) -> Json:
    if scheme["type"] == "basic":
        upgraded: Json = {"type": "http", "scheme": "basic"}
    elif scheme["type"] == "oauth2":
        flow: Json = {
            name: scheme[name] for name in ("authorizationUrl", "tokenUrl") if name in scheme
        }
        flow["scopes"] = scheme.get("scopes", {})
        upgraded = {"type": "oauth2", "flows": {_FLOWS[scheme["flow"]]: flow}}
    else:
        return scheme
    if "description" in scheme:
        upgraded["description"] = scheme["description"]
    return upgraded


def _with_new_references(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_new_references(each) for each in value]
    if not isinstance(value, dict):
        return value
    moved = {name: _with_new_references(inner) for name, inner in value.items()}
    reference = moved.get("$ref")
    if isinstance(reference, str):
        for old, new in _REFERENCES.items():
            if reference.startswith(old):
                moved["$ref"] = new + reference[len(old) :]
    return moved
