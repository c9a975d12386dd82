"""Servers of documents that tests write themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_contracts
from app.contract import Contract
from app.settings import Settings, read_settings


def thing(*required: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object."""
    needs = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needs}


def written(document: dict[str, Any], folder: Path, name: str) -> Path:
    """Return the file that a document is written to."""
    file = folder / name
    file.write_text(json.dumps(document))
    return file


def opened(spec: Path) -> Contract:
    """Return the contract of a document."""
    (contract,) = open_contracts(read_settings(spec=(spec,)))
    return contract


@contextmanager
def serving(spec: Path, base: str) -> Iterator[TestClient]:
    """Serve a document from memory, responses validated, to a client at its base path."""
    settings = Settings(spec=(spec,), store="memory:", validate_responses=True, delivery="off")
    with TestClient(create_app(settings), base_url=f"http://127.0.0.1:8080{base}/") as client:
        yield client


def created(api: TestClient, resource: str, sent: Any, status: int = 201) -> Any:
    """Send a creation, whose answer must have a status, and return the JSON of that answer."""
    answer = api.post(resource, json=sent)
    assert answer.status_code == status, answer.text
    return answer.json()
