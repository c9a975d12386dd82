"""Parameters: the query, path and header values a contract declares, read as their types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.contract.schema.validators import Validator

_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class InvalidParameter(Exception):
    """A parameter is missing, or its value is not what the contract says."""

    name: str
    rule: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter; `place` is query, path or header."""

    name: str
    place: str
    required: bool
    type: str
    validator: Validator

    def read(self, values: list[str]) -> Any:
        """Return the parameter's value, None when it is absent.

        A text parameter given more than once keeps its first value here; whoever gives repetition
        a meaning (`fields`, filters) reads the query itself.

        Raises:
            InvalidParameter: it is required and absent, repeated, or of the wrong form.
        """
        if not values:
            if self.required:
                raise InvalidParameter(self.name, "is required")
            return None
        if len(values) > 1 and self.type not in ("string", "array"):
            raise InvalidParameter(self.name, "is given more than once")
        value = self._typed(values)
        if not self.validator.accepts(value):
            violations = self.validator.violations(value)
            raise InvalidParameter(
                self.name, violations[0].rule if violations else "breaks its schema"
            )
        return value

    def _typed(self, values: list[str]) -> Any:
        text = values[0].strip()
        if self.type == "integer" and _INTEGER.fullmatch(text):
            return int(text)
        if self.type == "number" and _NUMBER.fullmatch(text):
            return float(text)
        if self.type == "boolean" and text in ("true", "false"):
            return text == "true"
        if self.type == "array":
            return [part for value in values for part in value.split(",")]
        return values[0]


class QueryParameters:
    """The declared query parameters of an operation."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self._by_name = {each.name: each for each in parameters}
        self._required = [each for each in self._by_name.values() if each.required]

    def read(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        """Return the values of those that a query holds, which has texts by name.

        Raises:
            InvalidParameter: for the first that breaks its rule.
        """
        for parameter in self._required:
            if parameter.name not in query:
                parameter.read([])
        return {
            name: self._by_name[name].read(texts)
            for name, texts in query.items()
            if name in self._by_name
        }
