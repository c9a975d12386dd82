"""Examples of patches, held against the examples of resources, and sent to a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_contracts
from app.commands.contracts import check
from app.contract import Contract
from app.contract.patch_examples import PatchExample, patch_examples
from app.settings import Settings
from app.tmf630.representation import encode
from storage import open_store, put
from tests.conftest import OURS, official_specs

QUERY = "application/json-patch-query+json"
TEXT = {"type": "string"}
NOTE = {"type": "object", "properties": {"text": TEXT}, "required": ["text"]}
THING = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "name": TEXT,
        "size": {"type": "integer"},
        "note": {"type": "array", "items": NOTE},
    },
}
EXAMPLES = {
    "renames": [{"op": "replace", "path": "/name", "value": "b"}],
    "selects": [{"op": "remove", "path": "/note?text=hello"}],
    "appends": [{"op": "add", "path": "/note", "value": {"text": "more"}}],
    "selects-nothing": [{"op": "remove", "path": "/note?text=bye"}],
    "misspelt": [{"op": "replace", "path": "/nmae", "value": "b"}],
    "breaks": [{"op": "replace", "path": "/size", "value": "large"}],
}
PROBLEMS = {
    "selects-nothing": "operation 0 (remove /note?text=bye) selects nothing",
    "misspelt": "operation 0 (replace /nmae) points at nothing",
    "breaks": "the result breaks the contract: /size must be of type integer",
}


def content(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema, **more}}}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shown = {"id": "7", "name": "a", "size": 1, "note": [{"text": "hello"}]}
    patch = {
        "application/merge-patch+json": {"schema": THING},
        QUERY: {
            "schema": {"type": "array", "items": {"type": "object"}},
            "examples": {name: {"value": value} for name, value in EXAMPLES.items()},
        },
    }
    thing = {"description": "", **content(THING, example=shown)}
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Things", "version": "1.0.0"},
        "paths": {
            "/thing": {"post": {"requestBody": content(THING), "responses": {"201": thing}}},
            "/thing/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": TEXT}],
                "patch": {"requestBody": {"content": patch}, "responses": {"200": thing}},
            },
        },
        "components": {"schemas": {"Error": {"type": "object"}}},
    }
    file = tmp_path_factory.mktemp("contract") / "things.json"
    file.write_text(json.dumps(document))
    return file


def stated(examples: Iterator[PatchExample]) -> dict[str, str]:
    return {each.name: each.problem for each in examples if each.name in EXAMPLES}


def test_an_example_fits_a_resource_of_the_document_or_says_why_not(spec: Path) -> None:
    (contract,) = open_contracts(Settings(spec=(spec,), store="memory:"))
    assert stated(patch_examples(contract)) == dict.fromkeys(EXAMPLES, "") | PROBLEMS


def test_check_lists_examples_that_have_no_effect(spec: Path) -> None:
    lines = CliRunner().invoke(check, [str(spec)]).output.splitlines()
    assert [each for each in lines if each.startswith("no effect")] == [
        f"no effect  example PATCH /thing/{{id}} {QUERY} {name}: {problem}"
        for name, problem in PROBLEMS.items()
    ]


def test_our_documents_have_examples_that_work() -> None:
    (contract,) = open_contracts(Settings(spec=(OURS,), store="memory:"))
    found = [*patch_examples(contract)]
    assert found
    assert not [str(each) for each in found if each.resource is None]


@pytest.mark.slow
def test_a_server_does_what_the_examples_of_official_documents_say(tmp_path: Path) -> None:
    tried = 0
    for file in sorted(official_specs().glob("TMF*")):
        store = f"sqlite:///{tmp_path}/{file.stem}.db"
        settings = Settings(spec=(file,), store=store, durability="normal", delivery="off")
        contracts = open_contracts(settings)
        app = create_app(settings, contracts=contracts)
        with TestClient(app, base_url="http://127.0.0.1:8080") as client:
            for example in patch_examples(contracts[0]):
                answer = sent(client, contracts[0], store, example)
                assert answer == 200, f"{file.name} {example.binding.path} {example}"
                tried += 1
    assert tried > 100


def sent(client: TestClient, contract: Contract, store: str, example: PatchExample) -> int:
    """Send an example to a server that has the resource; 200 for what the server should say."""
    definition = example.binding.definition
    assert definition is not None
    if example.resource is None:
        assert example.problem
        return 200
    opened = open_store(store)
    id = example.resource["id"]
    content = encode(definition, example.resource)
    put(opened, definition.collection, id, content, form=definition.forms.name)
    opened.close()
    path = contract.base_path + example.binding.path.rpartition("/")[0]
    return client.patch(
        f"{path}/{id}",
        content=json.dumps(example.patch),
        headers={"Content-Type": example.media_type},
    ).status_code
