"""Examples: leave out those that contradict the schema they are meant to show.

TM Forum's documents have some. Whoever tries or fuzzes the effective contract by its examples would
be refused for following it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.document.validate import resolve
from app.contract.errors import Problem, pointer
from app.contract.schema.validators import SchemaCompiler, View


def without_contradictions(
    document: Json, compiler: SchemaCompiler
) -> tuple[Json, tuple[Problem, ...]]:
    """Return the document without such examples, and what was wrong with each."""
    document = copy.deepcopy(document)
    problems = []
    for place, view, content in list(_contents(document)):
        for media_type, definition in content.items():
            if "schema" not in definition or not definition.keys() & {"example", "examples"}:
                continue
            validator = compiler.compile(definition["schema"], view)
            for holder, way, value in list(_examples(document, definition)):
                violations = validator.violations(value)
                if violations:
                    del holder[way[-1]]
                    problems.append(
                        Problem(pointer([*place, media_type, *way]), str(violations[0]))
                    )
    return document, tuple(problems)


def examples_of(document: Json, path: str, method: str) -> list[Any]:
    """Return the example bodies of an operation's JSON request."""
    body = document["paths"][path][method].get("requestBody", {})
    content = body.get("content", {}).get("application/json", {})
    return [value for _, value in example_values(document, content)]


def bodies_of(examples: Iterable[Any]) -> list[Any]:
    """Return the bodies of single resources in examples, some of which may be lists."""
    return [body for each in examples for body in (each if isinstance(each, list) else [each])]


def example_values(document: Json, content: Json) -> Iterator[tuple[str, Any]]:
    """Yield each example of a body, by its name; that of a single one is `example`."""
    for name, each in content.get("examples", {}).items():
        yield name, _value(document, each)
    if "example" in content:
        yield "example", content["example"]


def _examples(document: Json, definition: Json) -> Iterator[tuple[Json, list[str], Any]]:
    """Yield each example of a body: what holds it, the way to it, and its value."""
    if "example" in definition:
        yield definition, ["example"], definition["example"]
    for name, example in definition.get("examples", {}).items():
        yield definition["examples"], ["examples", name], _value(document, example)


def _contents(document: Json) -> Iterator[tuple[list[str], View, Json]]:
    """Yield where the document describes bodies: the place, whose they are, and by media type."""
    for path, method, operation in operations(document):
        place = ["paths", path, method]
        if "requestBody" in operation:
            content = operation["requestBody"].get("content", {})
            yield [*place, "requestBody", "content"], View.REQUEST, content
        for code, response in operation["responses"].items():
            content = response.get("content", {})
            yield [*place, "responses", code, "content"], View.RESPONSE, content


def _value(document: Json, example: Json) -> Any:
    while "$ref" in example:
        example = resolve(document, example["$ref"])
    return example.get("value")
