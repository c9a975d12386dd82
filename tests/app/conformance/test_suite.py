"""Loading a suite says what is wrong with it, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.conformance import SuiteError, load_suite


def suite_with(*requests: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "A suite",
        "attributes": {"mandatory": ["id"], "present": ["id"], "held": ["id", "name"]},
        "requests": list(requests),
    }


CREATE = {"method": "POST", "target": "/dog", "creates": "rex", "expect": {"returns": "item"}}
BROKEN = [
    ("a: [", "is not YAML"),
    (b"\xff", "is not UTF-8"),
    ([1], "/: "),
    (suite_with(), "/requests: there is none"),
    (suite_with({"method": "GET"}), "/requests/0/target: Field required"),
    (suite_with({"method": "LOOK", "target": "/dog"}), "/requests/0/method: Input should be"),
    (suite_with({"method": "GET", "target": "dog"}), "/requests/0/target: must start with a slash"),
    (
        suite_with({"method": "GET", "target": "/dog", "expects": {}}),
        "/requests/0/expects: Unexpected keyword argument",
    ),
    (
        suite_with({"method": "GET", "target": "/dog", "expect": {"status": "good"}}),
        "/requests/0/expect/status: Input should be a valid integer",
    ),
    (
        suite_with({"method": "GET", "target": "/dog/{{rex.id}}"}, CREATE),
        "/requests/0/target: {{rex.id}} is unknown at this point",
    ),
    (
        suite_with(CREATE, {"method": "GET", "target": "/dog/{{nobody}}"}),
        "/requests/1/target: {{nobody}} is unknown at this point",
    ),
    (
        suite_with(
            {"method": "GET", "target": "/d", "expect": {"returns": "list", "finds": ["x"]}}
        ),
        "/requests/0/expect/finds: x is not created before",
    ),
    (
        suite_with(CREATE, {"method": "GET", "target": "/d", "expect": {"finds": ["rex"]}}),
        "/requests/1/expect: finds and filters need returns",
    ),
    (
        suite_with(
            {"method": "GET", "target": "/d", "expect": {"returns": "list", "filters": "x"}}
        ),
        "/requests/0/expect/filters: x is not among the attributes held",
    ),
    (
        suite_with({**CREATE, "expect": {"returns": "item", "filters": "name"}}),
        "/requests/0/expect/filters: only a list is filtered",
    ),
    (
        suite_with({**CREATE, "expect": {"status": 201}}),
        "/requests/0/creates: the answer must be expected to return an item",
    ),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_a_broken_suite_is_refused_with_file_pointer_and_rule(
    tmp_path: Path, content: object, message: str
) -> None:
    file = tmp_path / "suite.yaml"
    text = content if isinstance(content, str | bytes) else yaml.safe_dump(content)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SuiteError) as caught:
        load_suite(file)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"nowhere\.yaml: .*No such file"):
        load_suite(tmp_path / "nowhere.yaml")


def test_a_suite_of_another_api_loads_with_what_it_leaves_out_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(suite_with(CREATE, {"method": "GET", "target": "/dog"})))
    suite = load_suite(file)
    assert [each.label for each in suite.requests] == ["POST /dog", "GET /dog"]
    assert suite.requests[1].expect.status is None
    assert suite.attributes.held == ("id", "name")
