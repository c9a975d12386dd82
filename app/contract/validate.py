"""Validate: hold a document against the OpenAPI specification it claims to follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openapi_spec_validator import (
    OpenAPIV2SpecValidator,
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
)

from app.contract.errors import ContractError, Problem, pointer
from app.contract.load import Json

_VALIDATORS = {
    "2.0": OpenAPIV2SpecValidator,
    "3.0": OpenAPIV30SpecValidator,
    "3.1": OpenAPIV31SpecValidator,
}
_MOST_PROBLEMS = 20


def validate(document: Json, file: str) -> None:
    """Check a document.

    Raises:
        ContractError: naming each broken rule by its JSON pointer.
    """
    version = str(document.get("openapi") or document.get("swagger") or "")
    validator = _VALIDATORS.get(version[:3])
    if validator is None:
        claim = f"says {version!r}" if version else "has neither 'openapi' nor 'swagger'"
        raise ContractError(
            file, [Problem("", f"{claim}; Swagger 2.0, OpenAPI 3.0 and 3.1 can be served")]
        )
    problems = list(_dangling_references(document, document, ()))
    if not problems:
        try:
            problems = [
                Problem(pointer(list(error.absolute_path)), _shorten(_innermost(error).message))
                for error in validator(document).iter_errors()
            ]
        except Exception as error:  # the library trips over documents broken in deep ways
            problems = [Problem("", f"cannot be checked: {_shorten(str(error))}")]
    if problems:
        raise ContractError(file, problems[:_MOST_PROBLEMS])


def _dangling_references(
    document: Json, value: Any, path: tuple[str | int, ...]
) -> Iterator[Problem]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and not _resolves(document, reference):
            yield Problem(pointer(path), f"$ref {reference!r} leads nowhere in this document")
        for name, inner in value.items():
            if name not in ("example", "examples"):
                yield from _dangling_references(document, inner, (*path, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _dangling_references(document, inner, (*path, position))


def _resolves(document: Json, reference: str) -> bool:
    try:
        resolve(document, reference)
    except LookupError:
        return False
    return True


def resolve(document: Json, reference: str) -> Any:
    """Return what a `$ref` into the same document points at.

    Raises:
        LookupError: it points elsewhere or at nothing.
    """
    if not reference.startswith("#/"):
        raise LookupError(reference)
    value: Any = document
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (TypeError, ValueError):
            raise LookupError(reference) from None
    return value


def _innermost(error: Any) -> Any:
    """Of a failed oneOf or anyOf, the complaint that went deepest: the one its author meant."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return error


def _shorten(message: str) -> str:
    line = message.splitlines()[0] if message else "breaks the specification"
    return line if len(line) <= 160 else f"{line[:80]} … {line[-70:]}"
