"""JSON text is read without loss, whatever the size of its integers."""

from __future__ import annotations

import json as standard

import pytest

from storage import json


@pytest.mark.parametrize(
    "value",
    [10**30, -(10**30), 2**63, 2**64, 2**63 - 1, 2**53 + 1, [{"a": 10**19}], "1" * 40, 1.5, {}],
    ids=str,
)
def test_a_value_comes_back_as_it_was_written(value: object) -> None:
    assert json.loads(json.dumps(value)) == value
    assert json.loads(standard.dumps(value, indent=1).encode()) == value
