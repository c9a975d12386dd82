"""Documents whose schemas multiply are refused before anything walks through them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.contract import ContractError
from app.contract.contract import read_document


def document(word: str, levels: int, *, swagger: bool) -> dict[str, Any]:
    """Return a document of which each schema refers twice to the next."""
    where = "#/definitions" if swagger else "#/components/schemas"
    schemas: dict[str, Any] = {
        f"S{level}": {
            "type": "object",
            word: [{"$ref": f"{where}/S{level + 1}"}, {"$ref": f"{where}/S{level + 1}"}],
        }
        for level in range(levels)
    }
    schemas[f"S{levels}"] = {"type": "object", "properties": {"a": {"type": "string"}}}
    head = {"info": {"title": "x", "version": "1"}, "paths": {}}
    if swagger:
        return {"swagger": "2.0", **head, "definitions": schemas}
    return {"openapi": "3.0.1", **head, "components": {"schemas": schemas}}


@pytest.mark.parametrize("word", ["allOf", "anyOf", "oneOf"])
def test_schemas_that_multiply_are_refused(tmp_path: Path, word: str) -> None:
    file = tmp_path / "d.json"
    file.write_text(json.dumps(document(word, 30, swagger=False)))
    with pytest.raises(ContractError, match="composed of more than 10000 schemas"):
        read_document(file)


def test_definitions_of_swagger_that_multiply_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text(json.dumps(document("allOf", 30, swagger=True)))
    with pytest.raises(ContractError, match="/definitions/S0"):
        read_document(file)


def test_some_levels_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text(json.dumps(document("allOf", 8, swagger=False)))
    assert read_document(file)[0]["components"]["schemas"]["S8"]
