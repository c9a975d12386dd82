"""What a request may have and its answer may not is found, at any depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import open_contracts
from app.contract import open_contract
from app.contract.document.load import load
from app.contract.document.overlay import read_overlays
from app.contract.schema.contradictions import contradictions_of
from app.contract.warnings import warnings_of
from app.settings import OPENAPI_FOLDER, read_settings
from tests.conftest import OURS, official_specs

TEXT = {"type": "string"}


def thing(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


@pytest.mark.parametrize(
    ("request_", "answer", "found"),
    [
        (thing([], a=TEXT), thing(["a"], a=TEXT), "/a is required in the answer and not in the"),
        (
            thing([], a={"type": "array", "items": thing([], b=TEXT)}),
            thing([], a={"type": "array", "items": thing(["b"], b=TEXT)}),
            "/a/*/b is required in the answer and not in the request",
        ),
        (
            thing([], a={"type": "object"}),
            thing([], a={"type": "array", "items": {}}),
            "/a is of type object in the request and array in the answer",
        ),
        (
            thing([], a=TEXT),
            thing([], a={"type": "string", "enum": ["x"]}),
            "/a is any text in the request and one of a list in the answer",
        ),
        (
            thing([], a={"type": "string", "enum": ["x", "y"]}),
            thing([], a={"type": "string", "enum": ["x"]}),
            "/a may be y in the request and not in the answer",
        ),
        (
            thing([], a={"type": "string", "maxLength": 9}),
            thing([], a={"type": "string", "maxLength": 5}),
            "/a has the maxLength 5 in the answer and not in the request",
        ),
        (
            thing([], a={"type": "integer"}),
            thing([], a={"type": "integer", "minimum": 1}),
            "/a has the minimum 1 in the answer and not in the request",
        ),
        (
            thing([], a=TEXT),
            thing([], a={"type": "string", "format": "date-time"}),
            "/a has the format date-time in the answer and not in the request",
        ),
        (
            thing([], a={"type": "string", "nullable": True}),
            thing([], a=TEXT),
            "/a may be null in the request and not in the answer",
        ),
    ],
)
def test_each_kind_of_contradiction_is_told(
    request_: dict[str, Any], answer: dict[str, Any], found: str
) -> None:
    sentences = contradictions_of({}, request_, answer, frozenset())
    assert len(sentences) == 1
    assert sentences[0].sentence.startswith(found)
    assert contradictions_of({}, answer, answer, frozenset()) == ()


def test_a_wider_answer_is_no_contradiction() -> None:
    request = thing([], a={"type": "string", "maxLength": 5, "format": "uri"})
    answer = thing([], a={"type": "string", "maxLength": 9, "nullable": True})
    assert contradictions_of({}, request, answer, frozenset()) == ()


def test_what_the_server_adds_is_no_contradiction() -> None:
    inner = {"type": "array", "items": thing([], href=TEXT)}
    shown = {"type": "array", "items": thing(["href"], href=TEXT)}
    request, answer = thing([], channel=inner), thing(["id"], id=TEXT, channel=shown)
    given = frozenset({("id",), ("channel", "href")})
    assert contradictions_of({}, request, answer, given) == ()


def test_a_document_that_contradicts_itself_is_told() -> None:
    (file,) = official_specs().glob("TMF629*")
    contract = open_contract(file, overlays=read_overlays(OPENAPI_FOLDER / "overlays"))
    sentence = "POST /customer: /engagedParty/id is required in the answer and not in the request"
    assert sentence in contract.request_contradictions


def test_a_contract_that_moved_is_told(tmp_path: Path) -> None:
    copied = tmp_path / "copy.json"
    document = load(OURS)
    document["servers"] = [{"url": "/tmf-api/partyInteraction/v4"}]
    document["info"]["title"] = "Other Thing"
    copied.write_text(json.dumps(document))
    first, second = open_contracts(read_settings(spec=(OURS, copied)))
    assert (first.moved_from, second.moved_from) == (None, "/tmf-api/partyInteraction/v4")
    assert second.base_path == "/tmf-api/otherThing/v4"
    expected = f"another contract is served at {first.base_path}; this one at {second.base_path}"
    assert expected in warnings_of(second)
