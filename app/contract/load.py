"""Load: read a contract from its file, JSON or YAML, as plain JSON values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from app.contract.errors import ContractError, Problem

Json: TypeAlias = dict[str, Any]
"""A JSON object."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as JSON: dates stay the strings they were written as."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(file: Path) -> Json:
    """Read a document: its values as JSON would hold them, every key a string.

    Raises:
        ContractError: the file cannot be read, is not JSON or YAML, or holds no object.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
        if file.suffix == ".json":
            document = json.loads(text)
        else:
            document = _with_string_keys(yaml.load(text, Loader=_Loader))  # noqa: S506
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
    if not isinstance(document, dict):
        raise ContractError(str(file), [Problem("", "is not an OpenAPI document: no object")])
    return document


def _with_string_keys(value: Any) -> Any:
    """Turn keys like `200`, which YAML reads as numbers, into the strings JSON has."""
    if isinstance(value, dict):
        return {str(key): _with_string_keys(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_string_keys(inner) for inner in value]
    return value
