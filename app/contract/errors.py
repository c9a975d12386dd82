"""Errors in a contract document, each with the JSON pointer of its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule at a JSON pointer (RFC 6901) into the document."""

    pointer: str
    rule: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.rule}"


class ContractError(Exception):
    """A document cannot be served; `file` names it, `problems` are every reason found."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))
        self.file = file
        self.problems = tuple(problems)


def pointer(path: Sequence[str | int]) -> str:
    """Return the JSON pointer of a path of names and positions."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
