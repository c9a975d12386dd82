"""Violations: messages that name the attribute and the rule it breaks.

They are built from the rule's name and limit; the validator's own messages may repeat the whole
value or schema to the client.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.contract.errors import pointer

MOST = 20
_LONGEST_LIST = 120
_LONGEST_PLACES = 500
_NO_NULL = "must not be null"

_SENTENCES = {
    "additionalProperties": "has attributes the contract does not allow: {}",
    "enum": "must be one of {}",
    "const": "must be {}",
    "exclusiveMaximum": "must be less than {}",
    "exclusiveMinimum": "must be greater than {}",
    "maxItems": "must have at most {} items",
    "maxLength": "must have at most {} characters",
    "maxProperties": "must have at most {} attributes",
    "maximum": "must be at most {}",
    "minItems": "must have at least {} items",
    "minLength": "must have at least {} characters",
    "minProperties": "must have at least {} attributes",
    "minimum": "must be at least {}",
    "multipleOf": "must be a multiple of {}",
    "pattern": "must match the pattern {}",
    "type": "must be of type {}",
    "uniqueItems": "must not hold the same item twice",
}
_FORMATS = {
    "byte": "base64 text",
    "date-time": "a date-time such as 2026-01-31T09:30:00Z (RFC 3339)",
    "date": "a date such as 2026-01-31 (RFC 3339)",
}
_SHOWN = 40
"""How many characters of a value a message shows."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule and the JSON pointer (RFC 6901) of the value that breaks it.

    `keyword` is the rule's name in JSON Schema; there are not many of them. `value` is the start of
    the value, where it helps to show it.
    """

    pointer: str
    rule: str
    keyword: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or '/'} {self.rule}"

    def with_value(self) -> str:
        """Return the rule, and the value that breaks it where there is one to show."""
        return f"{self}, not {self.value}" if self.value else str(self)


def violations_of(
    errors: Iterable[Any], patterns: Mapping[str, str] | None = None, most: int = MOST
) -> list[Violation]:
    """Return the violations that a validator's errors stand for, at most `most` of them.

    `patterns` holds the descriptions of patterns that have one.
    """
    found: dict[Violation, None] = {}  # in order, each once: several schemas may share a rule
    for error in errors:
        found.update(dict.fromkeys(_violations(error, patterns or {})))
        if len(found) >= most:
            break
    return list(found)[:most]


def in_words(violations: Sequence[Violation]) -> list[str]:
    """Return what is broken, each with its value; nulls together, since many come at once."""
    nulls = [each.pointer for each in violations if each.rule == _NO_NULL]
    said = [each.with_value() for each in violations if each.rule != _NO_NULL]
    return [_nulls(nulls), *said] if nulls else said


def _nulls(places: Sequence[str]) -> str:
    shown = list(places)
    while len(", ".join(shown)) > _LONGEST_PLACES and len(shown) > 1:
        shown.pop()
    hidden = len(places) - len(shown)
    return f"{', '.join(shown)}{f' and {hidden} more' if hidden else ''} {_NO_NULL}"


def _violations(error: Any, patterns: Mapping[str, str]) -> list[Violation]:
    kind = error.kind
    path = list(error.instance_path)
    if kind.name == "required":
        return [Violation(pointer([*path, kind.value]), "is required", kind.name)]
    if kind.name in ("anyOf", "oneOf") and hasattr(kind, "context"):
        # Null is always the first branch of a nullable schema and never what the client meant.
        branches = [
            branch for branch in kind.context if not any(_wants_null(inner) for inner in branch)
        ]
        choice = _choice(branches) or _missing(path, branches)
        if choice is not None:
            return [choice]
        meant = _meant(branches)
        if meant is not None:
            return [violation for inner in meant for violation in _violations(inner, patterns)]
        return [
            Violation(
                pointer(path), "matches none of the forms the contract allows here", kind.name
            )
        ]
    if kind.name == "format":
        wanted = _FORMATS.get(kind.value, f"a {kind.value}")
        came = json.dumps(str(error.instance)[:_SHOWN], ensure_ascii=False)
        return [Violation(pointer(path), f"must be {wanted}", kind.name, came)]
    if kind.name == "pattern" and kind.value in patterns:
        return [Violation(pointer(path), patterns[kind.value], kind.name)]
    if kind.name == "type" and error.instance is None:
        return [Violation(pointer(path), _NO_NULL, kind.name)]
    sentence = _SENTENCES.get(kind.name)
    if sentence is None:
        return [Violation(pointer(path), f"breaks the rule '{kind.name}'", kind.name)]
    return [Violation(pointer(path), sentence.format(_listed(kind.value)), kind.name)]


def _meant(branches: list[list[Any]]) -> list[Any] | None:
    """Return the errors of the alternative that the value was meant for, if it can be identified.

    It can when there is one form, or when one alone is not ruled out by an enumerated value.
    """
    possible = [
        branch
        for branch in branches
        if len(branches) == 1 or not any(inner.kind.name == "enum" for inner in branch)
    ]
    return possible[0] if len(possible) == 1 else None


def _choice(branches: list[list[Any]]) -> Violation | None:
    """Return the rule when all forms are ruled out by what they enumerate at the same place.

    Such an attribute says which form is meant, as `op` does in a patch.
    """
    ruling = [[inner for inner in branch if inner.kind.name == "enum"] for branch in branches]
    places = {pointer(list(inner.instance_path)) for each in ruling for inner in each}
    if len(places) != 1 or not all(ruling):
        return None
    values: list[Any] = []
    for inner in (inner for each in ruling for inner in each):
        values += [value for value in inner.kind.value if value not in values]
    rule = _SENTENCES["enum"].format(_listed(values))
    return Violation(places.pop(), rule, "enum")


def _missing(path: list[str | int], branches: list[list[Any]]) -> Violation | None:
    """Return the rule when each form lacks one attribute of the object at `path`."""
    lacking = [
        branch[0].kind.value
        for branch in branches
        if len(branch) == 1
        and branch[0].kind.name == "required"
        and list(branch[0].instance_path) == path
    ]
    if len(lacking) < 2 or len(lacking) != len(branches):
        return None
    first, *others = lacking
    rule = f"is required, or {' or '.join(others)} instead"
    return Violation(pointer([*path, first]), rule, "required")


def _wants_null(error: Any) -> bool:
    return error.kind.name == "type" and error.kind.value in ("null", ["null"])


def _listed(value: Any) -> str:
    text = " or ".join(str(each) for each in value) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST_LIST else f"{text[:_LONGEST_LIST]} …"
