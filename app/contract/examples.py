"""Examples: leave out those that contradict the schema they are meant to show.

TM Forum's documents have some. Whoever tries or fuzzes the effective contract by its examples would
be refused for following it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from app.contract.compile import SchemaCompiler, View
from app.contract.errors import Problem, pointer
from app.contract.load import Json
from app.contract.normalise import operations
from app.contract.validate import resolve


def without_contradictions(
    document: Json, compiler: SchemaCompiler
) -> tuple[Json, tuple[Problem, ...]]:
    """Return the document without such examples, and what was wrong with each."""
    document = copy.deepcopy(document)
    problems = []
    for place, view, content in list(_contents(document)):
        for media_type, definition in content.items():
            if "schema" not in definition or "examples" not in definition:
                continue
            validator = compiler.compile(definition["schema"], view)
            kept = {}
            for name, example in definition["examples"].items():
                violations = validator.violations(_value(document, example))
                if violations:
                    problems.append(
                        Problem(pointer([*place, media_type, "examples", name]), str(violations[0]))
                    )
                else:
                    kept[name] = example
            definition["examples"] = kept
    return document, tuple(problems)


def examples_of(document: Json, path: str, method: str) -> list[Any]:
    """Return the example bodies of an operation's JSON request."""
    body = document["paths"][path][method].get("requestBody", {})
    content = body.get("content", {}).get("application/json", {})
    named = [_value(document, each) for each in content.get("examples", {}).values()]
    return [*named, *([content["example"]] if "example" in content else [])]


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
