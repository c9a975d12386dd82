"""What `tmf683 check` says of a contract's events and of what is not served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.commands.contracts import check

ANY: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}}}
BODY = {"content": {"application/json": {"schema": ANY}}}
MADE = {"201": {"description": "", "content": {"application/json": {"schema": ANY}}}}


def checked(tmp_path: Path, *paths: str, strict: bool = True) -> tuple[int, str]:
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Pools", "version": "1.0.0"},
        "paths": {each: {"post": {"requestBody": BODY, "responses": MADE}} for each in paths},
    }
    file = tmp_path / "pools.json"
    file.write_text(json.dumps(document))
    result = CliRunner().invoke(check, [str(file), *(["--strict"] if strict else [])])
    return result.exit_code, result.output


def test_the_events_of_each_resource_are_listed(tmp_path: Path) -> None:
    code, output = checked(tmp_path, "/pool", "/listener/poolChange", "/listener/poolCreationEvent")
    assert "events     pool: create PoolCreationEvent, attribute PoolChange" in output or (
        "events     pool: attribute PoolChange, create PoolCreationEvent" in output
    )
    assert "warning" not in output
    assert code == 0


@pytest.mark.parametrize("strict", [False, True])
def test_a_listener_of_no_change_is_a_warning(tmp_path: Path, strict: bool) -> None:
    code, output = checked(tmp_path, "/pool", "/listener/poolBatchEvent", strict=strict)
    assert "warning    /listener/poolBatchEvent stands for no change of a resource" in output
    assert code == int(strict)


@pytest.mark.parametrize("strict", [False, True])
def test_an_operation_that_is_not_served_is_a_warning(tmp_path: Path, strict: bool) -> None:
    code, output = checked(tmp_path, "/pool", "/{strange}/x", strict=strict)
    assert "warning    POST /{strange}/x is not served" in output
    assert code == int(strict)


def test_a_contract_whose_base_path_is_taken_is_a_warning(tmp_path: Path) -> None:
    files = [tmp_path / f"{title}.json" for title in ("Pools", "Lakes")]
    for file in files:
        document = {
            "openapi": "3.0.3",
            "info": {"title": file.stem, "version": "1.0.0"},
            "servers": [{"url": "/tmf-api/water/v1"}],
            "paths": {"/pool": {"post": {"requestBody": BODY, "responses": MADE}}},
        }
        file.write_text(json.dumps(document))
    done = CliRunner().invoke(check, [*map(str, files), "--strict"])
    assert [each for each in done.output.splitlines() if each.startswith("warning")] == [
        "warning    another contract is served at /tmf-api/water/v1; this one at /tmf-api/lakes/v1"
    ]
    assert done.exit_code == 1
