"""Overlays, mappings and sources of one's own, beside those that come with the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.bootstrap import event_sources_of, mappings_of, open_contracts
from app.cli import main
from app.contract import ContractError
from app.server.start_checks import start_problems
from app.settings import OPENAPI_FOLDER, read_settings
from tests.conftest import OURS, OURS_V5


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TMF_OVERLAYS", "TMF_MAPPINGS"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def overlay(*actions: dict[str, Any]) -> str:
    return json.dumps({"overlay": "1.0.0", "info": {"title": "Ours"}, "actions": actions})


TITLE = {"target": "$.info", "update": {"title": "Contacts"}}
NOTHING = {"target": "$.components.schemas.Nowhere", "update": {"x": 1}}


def check(*options: str) -> Result:
    return CliRunner().invoke(main, ["check", str(OURS), *options])


def test_an_overlay_changes_the_contract_after_those_of_the_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "names.json"
    file.write_text(overlay(TITLE))
    monkeypatch.setenv("TMF_OVERLAYS", str(file))
    monkeypatch.delenv("TMF_MAPPINGS")
    (contract,) = open_contracts(read_settings(spec=(OURS,)))
    assert contract.document["info"]["title"] == "Contacts"
    assert contract.overlays[-1].file == str(file)


def test_a_folder_gives_the_files_of_the_kind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMF_MAPPINGS")
    (folder / "b.overlay.json").write_text(overlay(TITLE))
    (folder / "a.overlay.yaml").write_text(overlay({"target": "$.info", "update": {"title": "A"}}))
    (folder / "notes.yaml").write_text("no overlay")
    (contract,) = open_contracts(read_settings(spec=(OURS,)))
    assert contract.document["info"]["title"] == "Contacts"


def test_check_says_which_rule_comes_from_which_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMF_MAPPINGS")
    (folder / "own.overlay.yaml").write_text(overlay(TITLE, NOTHING))
    lines = check().output.splitlines()
    assert f"overlay    Ours (1 changes)  {folder}/own.overlay.yaml" in lines
    shipped = OPENAPI_FOLDER / "mappings" / "tmf683-v4-v5.mapping.yaml"
    assert f"mapping    Party interactions, releases 4 and 5 (v4 to v5)  {shipped}" in lines
    assert any(line.endswith("trouble-ticket.source.yaml") for line in lines)
    rules = check("--rules").output
    assert "  $.info sets title (1)\n  $.components.schemas.Nowhere sets x (0)\n" in rules
    assert "  partyInteraction.channel is relatedChannel\n" in rules


def test_a_rule_of_ones_own_that_meets_nothing_is_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMF_MAPPINGS")
    file = folder / "own.overlay.yaml"
    file.write_text(overlay(TITLE))
    assert check("--strict").exit_code == 0
    file.write_text(overlay(TITLE, NOTHING))
    told = check("--strict")
    assert told.exit_code == 1
    assert f"warning    {file} $.components.schemas.Nowhere meets nothing" in told.output


MAPPING = {
    "title": "Ours",
    "api": "partyInteraction",
    "older": "4",
    "newer": "5",
    "resources": {"partyInteraction": {"attributes": {"reason": {"to": "cause"}}}},
}
SOURCE = {
    "title": "Calls",
    "from": {"api": "callManagement", "resource": "call"},
    "into": {"api": "partyInteraction", "resource": "partyInteraction", "version": "4"},
    "id": "call-{id}",
    "attributes": {"reason": "{subject}"},
}


def test_a_mapping_replaces_that_of_the_same_versions_and_stands_beside_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMF_OVERLAYS")
    shipped = mappings_of(read_settings(mappings=(OPENAPI_FOLDER / "mappings",)))
    api = {"api": shipped[0].api, "older": "4", "newer": "5"}
    (folder / "own.mapping.yaml").write_text(json.dumps(MAPPING | api))
    (folder / "next.mapping.yaml").write_text(json.dumps(MAPPING | api | {"newer": "6"}))
    found = mappings_of(read_settings())
    assert sorted((each.title, *each.versions.values()) for each in found) == [
        ("Ours", "4", "5"),
        ("Ours", "4", "6"),
    ]
    (contract,) = open_contracts(read_settings(spec=(OURS_V5,)))
    (announced,) = contract.announced
    assert ("reason",) in announced.definition.forms.aliases(("cause",))


def test_a_source_is_read_beside_those_of_the_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMF_OVERLAYS")
    (folder / "calls.source.yaml").write_text(json.dumps(SOURCE))
    titles = [each.title for each in event_sources_of(read_settings())]
    assert "Calls" in titles
    assert len(titles) == 3


@pytest.mark.parametrize(
    ("name", "file", "content", "says"),
    [
        ("TMF_OVERLAYS", "a.overlay.yaml", "{}", "is not version 1 of the format"),
        ("TMF_OVERLAYS", "a.yaml", "{}", "is a folder without *.overlay.yaml"),
        ("TMF_MAPPINGS", "a.mapping.yaml", "{}", "/api: must be a text"),
        ("TMF_MAPPINGS", "a.source.yaml", "{}", "/from/api: must be a text"),
        ("TMF_MAPPINGS", "a.yaml", "{}", "without *.mapping.yaml or *.source.yaml"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str, content: str, says: str
) -> None:
    (tmp_path / file).write_text(content)
    monkeypatch.setenv(name, str(tmp_path))
    (problem,) = start_problems(read_settings(store="memory:"))
    assert str(problem).startswith(f"{name}: {tmp_path}")
    assert says in str(problem)
    opened = open_contracts if name == "TMF_OVERLAYS" else event_sources_of
    if file != "a.mapping.yaml":  # which has no sources
        with pytest.raises(ContractError):
            opened(read_settings(store="memory:"))


def test_a_mapping_must_be_called_as_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(MAPPING))
    with pytest.raises(ContractError, match=r"must be called \*\.mapping\.yaml or"):
        mappings_of(read_settings(mappings=(file,)))
