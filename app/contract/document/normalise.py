"""Normalise: write equivalent constructs in one form, and find the API's base path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from app.contract.document.load import Json
from app.contract.document.upgrade import METHODS
from app.contract.document.validate import resolve

_ANY = dict.fromkeys(("*/*", "application/*", "application/*+json"), "application/json")
"""Ranges of media types; of what they allow, JSON is what is read and answered."""


def normalise(document: Json) -> Json:
    """Return the document with plain paths, media types, parameters and named operations.

    - paths have no slash at their end: requests with one are served as those without.
    - `application/json;charset=utf-8` becomes `application/json`: a media type's parameters must
      not decide whether a request is understood (RFC 9110 §8.3.1). So do `*/*` and its like.
    - parameters, request bodies and responses that are references are written out, and those a
      path shares move into its operations; schemas stay references.
    - the format `base64` gets the name that OpenAPI gives it, `byte`.
    - every operation has an operationId of its own.
    """
    paths: Json = {}
    taken: set[str] = set()
    for stated, item in document["paths"].items():
        path = stated.rstrip("/") or "/"
        item = _followed(document, item)
        shared = item.get("parameters", [])
        methods = {
            method: _operation(document, path, method, item[method], shared)
            for method in METHODS
            if method in item
        }
        paths[path] = methods | paths.get(path, {})
        for method, operation in methods.items():
            if operation["operationId"] in taken:
                operation["operationId"] = _operation_id(path, method)
            taken.add(operation["operationId"])
    normalised: Json = _with_named_formats({**document, "paths": paths})
    return normalised


def is_json(media_type: str) -> bool:
    """Whether a media type without parameters is JSON, or written as JSON (RFC 6839 §3.1)."""
    subtype = media_type.rpartition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield every operation as path, method (lower case) and definition."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def api_name(document: Json) -> str:
    """Return the API's name as TM Forum writes it in URLs, `shoppingCart` for example.

    It is the segment after `tmf-api` in the document's own base path, else its title in lower
    camel case.
    """
    found = re.search(r"/tmf-api/([^/]+)", _server_path(document))
    return found[1] if found else name_from_title(document)


def name_from_title(document: Json) -> str:
    """Return the title of a document in lower camel case."""
    words = re.findall(r"[A-Za-z0-9]+", document["info"]["title"])
    name = "".join(word[:1].upper() + word[1:] for word in words) or "Api"
    return name[:1].lower() + name[1:]


def base_path(document: Json) -> str:
    """Return the path the API is served under, without trailing slash.

    The document's own where it has one, else TM Forum's convention
    `/tmf-api/{apiName}/v{major}`.
    """
    return _server_path(document).rstrip("/") or conventional_path(document)


def conventional_path(document: Json) -> str:
    """Return the path that TM Forum's convention gives an API of this title and version."""
    return f"/tmf-api/{name_from_title(document)}/v{major_version(document)}"


def major_version(document: Json) -> str:
    """Return the first number of the document's version, 1 when it has none."""
    major = re.match(r"\D*(\d+)", str(document["info"]["version"]))
    return major[1] if major else "1"


def _server_path(document: Json) -> str:
    servers = document.get("servers") or [{"url": ""}]
    url = str(servers[0].get("url", ""))
    for name, variable in servers[0].get("variables", {}).items():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    parts = urlsplit(url).path.split("/")
    path = "/".join(part for part in parts if "{" not in part)  # nobody says what it stands for
    return path if path.startswith("/") else f"/{path}"


def _operation(document: Json, path: str, method: str, operation: Json, shared: list[Json]) -> Json:
    operation = dict(operation)
    operation.setdefault("operationId", _operation_id(path, method))
    own = [_followed(document, each) for each in operation.get("parameters", [])]
    named = {(each["name"], each["in"]) for each in own}
    inherited = [_followed(document, each) for each in shared]
    parameters = own + [each for each in inherited if (each["name"], each["in"]) not in named]
    if parameters:
        operation["parameters"] = parameters
    if "requestBody" in operation:
        operation["requestBody"] = _with_plain_media_types(
            _followed(document, operation["requestBody"])
        )
    operation["responses"] = {
        code: _with_plain_media_types(_followed(document, response))
        for code, response in operation["responses"].items()
    }
    return operation


def _with_named_formats(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_named_formats(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {
        name: inner if name in ("example", "examples") else _with_named_formats(inner)
        for name, inner in value.items()
    }
    if named.get("format") == "base64":
        named["format"] = "byte"
    return named


def _operation_id(path: str, method: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", path)
    return method + "".join(word[:1].upper() + word[1:] for word in words)


def _followed(document: Json, value: Any) -> Json:
    while "$ref" in value:
        value = resolve(document, value["$ref"])
    result: Json = value
    return result


def _with_plain_media_types(part: Json) -> Json:
    if "content" not in part:
        return part
    content: Json = {}
    for media_type, definition in part["content"].items():
        plain = media_type.split(";")[0].strip().lower()
        content.setdefault(_ANY.get(plain, plain), definition)
    return {**part, "content": content}
