from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.tmf630 import patching
from app.tmf630.definitions import Limits
from app.tmf630.errors import BadPatch


def test_operations_have_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patching, "SECONDS", 0.0)
    definition: Any = SimpleNamespace(frozen=frozenset())
    patch = [{"op": "add", "path": "/a", "value": 1}]
    with pytest.raises(BadPatch, match="operation 0 was not done"):
        patching.patched(definition, {}, patching.JSON_PATCH, patch, Limits())


NOTES = [{"author": f"a{number}"} for number in range(500)]
DOCUMENT = {"id": "1", "note": NOTES, "item": [{"note": NOTES, "text": ["x"] * 500}]}


@pytest.mark.parametrize(
    "path",
    [
        "$.note[?(@.author=='nobody')]",
        "$.note[?(" + " || ".join(["@.author=='nobody'"] * 40) + ")]",
        "/note?author=nobody",
        "/note/author?note.author=nobody",
        "$.item[?(@.note[?(@.author=='nobody')])]",
        "$.item[?(!@.note[?(@.author=='nobody')])]",
        "$.item[?(@.author=='nobody' || @.text && @.note[?(@.author=='nobody')])]",
        "/item?" + "&".join(["text=x"] * 80),
        "/id?" + "&".join(["item.text=x"] * 80),
    ],
)
def test_the_time_is_looked_at_within_an_operation(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    times = iter(range(1_000_000))
    monkeypatch.setattr(patching, "time", SimpleNamespace(monotonic=lambda: next(times) / 10))
    definition: Any = SimpleNamespace(frozen=frozenset())
    patch = [{"op": "remove", "path": path}]
    with pytest.raises(BadPatch, match="operation 0 was not done within 5 seconds"):
        patching.patched(definition, DOCUMENT, patching.JSON_PATCH_QUERY, patch, Limits())


def test_the_time_is_looked_at_between_what_one_operation_selects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter(range(1_000_000))
    monkeypatch.setattr(patching, "time", SimpleNamespace(monotonic=lambda: next(times) / 90))
    definition: Any = SimpleNamespace(frozen=frozenset())
    patch = [{"op": "replace", "path": "$.note[*].author", "value": "x"}]
    with pytest.raises(BadPatch, match="was not done"):
        patching.patched(definition, DOCUMENT, patching.JSON_PATCH_QUERY, patch, Limits())
