"""A bound on how often schemas are composed of others.

Thirty schemas of which each refers twice to the next, by `allOf`, stand for a thousand million
parts, and whatever walks through them would not come to an end.
"""

from __future__ import annotations

from typing import Any

from app.contract.document.load import Json
from app.contract.document.validate import resolve
from app.contract.errors import ContractError, Problem

MOST_PARTS = 10_000
_WORDS = ("allOf", "anyOf", "oneOf")


def check_composition(document: Json, file: str) -> None:
    """Check that no schema is composed of more than `MOST_PARTS` others.

    References that lead nowhere, or back, are left to the validation.

    Raises:
        ContractError: one is.
    """
    schemas = document.get("definitions") or (document.get("components") or {}).get("schemas")
    if not isinstance(schemas, dict):
        return
    where = "/definitions" if "definitions" in document else "/components/schemas"
    parts = _Parts(document)
    for name in schemas:
        if parts.of_reference(f"#{where}/{name}") > MOST_PARTS:
            rule = f"is composed of more than {MOST_PARTS} schemas"
            raise ContractError(file, [Problem(f"{where}/{name}", rule)])


class _Parts:
    """Counts the schemas that one is composed of, each reference once."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._known: dict[str, int] = {}

    def of_reference(self, reference: str) -> int:
        """Return the number of parts behind a reference."""
        if reference not in self._known:
            self._known[reference] = 0  # while it is counted: what leads back adds nothing
            try:
                self._known[reference] = self._of(resolve(self._document, reference))
            except LookupError:
                return 0
        return self._known[reference]

    def _of(self, schema: Any) -> int:
        if not isinstance(schema, dict):
            return 0
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self.of_reference(reference)
        lists = [schema[word] for word in _WORDS if isinstance(schema.get(word), list)]
        return 1 + sum(self._of(part) for parts in lists for part in parts)
