"""Violations of large values are found in excerpts of bounded size."""

from __future__ import annotations

import random
from typing import Any

import pytest

from app.contract.schema.excerpts import excerpts, is_large, value_at
from app.contract.schema.validators import SchemaCompiler, Validator, View

NOTE = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {"type": "string"},
        "part": {"type": "array", "items": {"$ref": "#/components/schemas/Note"}},
        "a/b": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
    },
}
SCHEMA: Any = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "note": {"type": "array", "nullable": True, "items": {"$ref": "#/components/schemas/Note"}},
        "tag": {"type": "array", "items": {"type": "string"}, "minItems": 900, "maxItems": 1000},
        "number": {"type": "array", "items": {"type": "integer"}},
    },
}
OPERATION = {
    "oneOf": [
        {"required": ["op", "path"], "properties": {"op": {"enum": [word]}}}
        for word in ("add", "remove", "replace", "move", "copy", "test")
    ]
}


@pytest.fixture
def validator() -> Validator:
    document: Any = {"openapi": "3.0.3", "components": {"schemas": {"Note": NOTE}}}
    return SchemaCompiler(document).compile(SCHEMA, View.RESPONSE)


def values_in(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(values_in, inner))


class Counting:
    """A compiled schema that notes how large the values are of which all errors are made."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.sizes: list[int] = []

    def iter_errors(self, value: Any) -> Any:
        self.sizes.append(values_in(value))
        return self._compiled.iter_errors(value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)


@pytest.mark.parametrize(
    "value",
    [
        [{"op": "x"}] * 70_000,
        [{"op": "remove", "path": "/a"}] * 69_000 + [{"op": "x"}] * 1000,
        {"op": [{"op": "x"}] * 70_000},
    ],
    ids=["operations", "the last ones", "within"],
)
def test_errors_are_made_of_little_at_once(value: Any) -> None:
    schema: Any = {"anyOf": [{"type": "array", "items": OPERATION}]}
    schema["anyOf"].append({"type": "object", "additionalProperties": schema["anyOf"][0]})
    validator = SchemaCompiler({"openapi": "3.0.3", "components": {}}).compile(schema, View.REQUEST)
    validator._compiled = counting = Counting(validator._compiled)
    assert validator.violations(value, 100)
    assert max(counting.sizes) < 500
    assert sum(counting.sizes) < 50_000


NOTES = [{"text": "x"}] * 3000


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"id": "1", "note": NOTES}, []),
        ({"note": NOTES}, ["/id is required"]),
        ({"id": 1, "note": NOTES}, ["/id must be of type string"]),
        ({"id": "1", "note": [*NOTES, {}]}, ["/note/3000/text is required"]),
        ({"id": "1", "note": [*NOTES, {"text": 1}, *NOTES]}, ["/note/3000/text must be of type"]),
        ({"id": "1", "note": "x", "number": [0] * 3000}, ["/note must be of type null or array"]),
        ({"id": "1", "note": {"text": NOTES}}, ["/note must be of type null or array"]),
        (
            {"id": "1", "note": [*NOTES, {"text": "x", "part": [*NOTES, {"text": None}]}]},
            ["/note/3000/part/3000/text must not be null"],
        ),
        (
            {"id": "1", "note": [{"text": "x", "part": NOTES, "a/b": [1]}, *NOTES]},
            ["/note/0/a~1b must have at least 2 items"],
        ),
        ({"id": "1", "tag": ["x"] * 950}, []),
        ({"id": "1", "tag": ["x"] * 3000}, ["/tag must have at most 1000 items"]),
        ({"id": "1", "tag": ["x"] * 800}, ["/tag must have at least 900 items"]),
        (
            {"id": "1", "number": [*range(999), "x"], "tag": ["x"] * 3000},
            ["/number/999 must be of type integer", "/tag must have at most 1000 items"],
        ),
        ({"id": "1", "tag": ["x"], "note": NOTES}, ["/tag must have at least 900 items"]),
    ],
)
def test_what_is_wrong_is_found_wherever_it_is(
    validator: Validator, value: Any, found: list[str]
) -> None:
    violations = [str(each) for each in validator.violations(value)]
    assert len(violations) == len(found), violations
    assert all(map(str.startswith, violations, found)), violations


def test_every_broken_attribute_of_random_values_is_named(validator: Validator) -> None:
    chance = random.Random(683)
    for _ in range(60):
        value: Any = {
            "id": chance.choice(["1", "1", 1]),
            "note": [note(chance, 3) for _ in range(chance.choice([0, 3, 60]))],
            "number": [chance.choice([1, 1, 1, "x"]) for _ in range(chance.choice([0, 9, 900]))],
        }
        violations = validator.violations(value, 1000)
        every = {str(each) for each in validator._found(value, 1_000_000)}
        assert {str(each) for each in violations} <= every
        assert bool(violations) == (not validator.accepts(value))
        assert {each.pointer.split("/")[1] for each in violations} == {
            each.split("/")[1].split()[0] for each in every
        }


def note(chance: random.Random, depth: int) -> Any:
    found: Any = {"text": 1 if chance.random() < 0.001 else "x"}
    if depth and chance.random() < 0.3:
        found["part"] = [note(chance, depth - 1) for _ in range(chance.choice([1, 9, 40]))]
    return found


def test_excerpts_have_everything() -> None:
    value = {"a/b": [[{"c": list(range(1000))}, *range(1000, 3000)]], "d": list(range(3000, 3300))}
    assert is_large(value)
    seen: set[int] = set()
    for excerpt in excerpts(value):
        found = value_at(excerpt.value, excerpt.shown)
        for index, each in enumerate(found if isinstance(found, list) else ()):
            place = excerpt.original(f"{excerpt.shown}/{index}")
            assert place is not None
            if isinstance(each, int):
                assert value_at(value, place) == each
                seen.add(each)
    assert seen == set(range(3300))
