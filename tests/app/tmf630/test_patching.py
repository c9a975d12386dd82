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
    with pytest.raises(BadPatch, match="operation 0 was not reached"):
        patching.patched(definition, {}, patching.JSON_PATCH, patch, Limits())
