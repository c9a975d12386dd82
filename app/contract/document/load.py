"""Load: read a contract from its file, JSON or YAML, as plain JSON values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from app.contract.errors import ContractError, Problem

Json: TypeAlias = dict[str, Any]
"""A JSON object."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2 as JSON has it (Core Schema), which OpenAPI wants.

    Dates stay the strings they were written as; so do `yes`, `NO`, `010` and `12:30`, which YAML
    1.1 takes for booleans and for numbers of other bases.
    """


_DEEPEST = 100
_MOST_VALUES = 2_000_000
"""Few bytes of YAML can stand for endless values, by anchors that repeat each other."""

_TAG = "tag:yaml.org,2002:"
_OF_YAML_1_1 = frozenset(f"{_TAG}{name}" for name in ("timestamp", "bool", "int", "float"))
_SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
}
"""What is no text: the pattern of each type, and the characters that begin it."""

_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OF_YAML_1_1]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^({_pattern})$"), [*_first])


def load(file: Path) -> Json:
    """Read a document: its values as JSON would hold them, every key a string.

    Raises:
        ContractError: the file cannot be read, is not JSON or YAML, is too much, or holds no
            object.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
        read = json.loads if file.suffix == ".json" else _read_yaml
        document = _Copy().of(read(text))
    except OSError as error:
        raise ContractError(str(file), [Problem("", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ContractError(str(file), [Problem("", "is not UTF-8 text")]) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ContractError(
            str(file), [Problem("", f"is not JSON: {error.msg} at {place}")]
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ContractError(
            str(file), [Problem("", f"is not YAML: {error.problem}{place}")]
        ) from None
    except yaml.YAMLError:
        raise ContractError(str(file), [Problem("", "is not YAML")]) from None
    except RecursionError:
        rule = f"is nested more than {_DEEPEST} levels deep"
        raise ContractError(str(file), [Problem("", rule)]) from None
    except OverflowError as error:
        raise ContractError(str(file), [Problem("", str(error))]) from None
    if not isinstance(document, dict):
        raise ContractError(str(file), [Problem("", "is not an OpenAPI document: no object")])
    return document


def _read_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a loader of plain values


class _Copy:
    """Copies values within bounds, with keys like `200`, which YAML reads as numbers, as strings.

    `of` raises RecursionError and OverflowError where there is no end to them.
    """

    def __init__(self) -> None:
        self._values = 0

    def of(self, value: Any, depth: int = 0) -> Any:
        """Return the copy of a value."""
        if not isinstance(value, dict | list):
            return value
        self._values += len(value)
        if depth > _DEEPEST:
            raise RecursionError
        if self._values > _MOST_VALUES:
            raise OverflowError(f"stands for more than {_MOST_VALUES} values")
        if isinstance(value, dict):
            return {str(key): self.of(inner, depth + 1) for key, inner in value.items()}
        return [self.of(inner, depth + 1) for inner in value]
