"""Validate: hold a document against the OpenAPI specification it claims to follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app.contract.document.load import Json
from app.contract.errors import ContractError, Problem, pointer

_VALIDATORS = {
    "2.0": "OpenAPIV2SpecValidator",
    "3.0": "OpenAPIV30SpecValidator",
    "3.1": "OpenAPIV31SpecValidator",
}
_MOST_PROBLEMS = 20


def validate(document: Json, file: str) -> None:
    """Check a document with openapi-spec-validator.

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
    problems = list(bad_references(document))
    if not problems:
        import openapi_spec_validator  # commands that open no contract do not load it

        try:
            errors = getattr(openapi_spec_validator, validator)(document).iter_errors()
            problems = _broken_rules(document, errors)
        except Exception as error:  # the library trips over documents broken in deep ways
            problems = [Problem("", f"cannot be checked: {_shorten(str(error))}")]
    if problems:
        raise ContractError(file, problems[:_MOST_PROBLEMS])


def bad_references(document: Json) -> Iterator[Problem]:
    """Yield every reference that cannot be followed within the document, or without end."""
    yield from _bad_references(document, document, ())


def _bad_references(document: Json, value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            fault = _fault(document, reference)
            if fault:
                yield Problem(pointer(path), f"$ref {reference!r} {fault}")
        for name, inner in value.items():
            if name not in ("example", "examples"):
                yield from _bad_references(document, inner, (*path, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _bad_references(document, inner, (*path, position))


def _fault(document: Json, reference: str) -> str | None:
    """Return what is wrong with a reference."""
    if not reference.startswith("#"):
        return "leads out of this document; references within it alone are followed"
    try:
        endless = _leads_back(document, resolve(document, reference), frozenset({reference}))
    except LookupError:
        return "leads nowhere in this document"
    return "leads back to itself" if endless else None


def _leads_back(document: Json, value: Any, seen: frozenset[str]) -> bool:
    """Whether a schema is made of itself, by `$ref` and `allOf` alone."""
    if not isinstance(value, dict):
        return False
    parts = [value, *(value["allOf"] if isinstance(value.get("allOf"), list) else ())]
    for part in parts:
        reference = part.get("$ref") if isinstance(part, dict) else None
        if isinstance(reference, str) and (
            reference in seen
            or _leads_back(document, resolve(document, reference), seen | {reference})
        ):
            return True
    return False


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


def _broken_rules(document: Json, errors: Iterable[Any]) -> list[Problem]:
    """Return what the library finds, each broken rule at the place where it has to be corrected."""
    found = []
    for error in errors:
        message = _shorten(_innermost(error).message)
        found.append((_placed(document, list(error.absolute_path), message), message))
    return [
        Problem(pointer(path), message)
        for path, message in found
        # That none of a schema's alternatives fits says less than what is wrong within it.
        if not any(len(other) > len(path) and other[: len(path)] == path for other, _ in found)
    ]


def _placed(document: Json, path: list[str | int], message: str) -> list[str | int]:
    """Return a path from the document on; the library has some that begin at a schema."""
    if not path or path[0] in document:
        return path
    for folder in (["components", "schemas"], ["definitions"]):
        for name in _at(document, folder) or ():
            whole = [*folder, name, *path]
            value = _at(document, whole)
            if value is not None and message.startswith(repr(value)):
                return whole
    return path


def _at(value: Any, path: Sequence[str | int]) -> Any:
    """Return the value at a path, None where there is none."""
    for part in path:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return None
    return value


def _innermost(error: Any) -> Any:
    """Of a failed oneOf or anyOf, the complaint that went deepest: the one its author meant."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return error


def _shorten(message: str) -> str:
    line = message.splitlines()[0] if message else "breaks the specification"
    return line if len(line) <= 160 else f"{line[:80]} … {line[-70:]}"
