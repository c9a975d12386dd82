"""Commands that print results print them as JSON as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from app.cli import main
from tests.app.commands.test_help import commands
from tests.commands import tmf683
from tests.conftest import OURS, OURS_V5

WITHOUT_RESULT = {"serve", "deliver", "demo", "mapping"}
"""Three run until they are stopped; the last writes a file of its own form."""

INTERACTION = {
    "id": "one",
    "description": "x",
    "reason": "Bill",
    "interactionDate": {"startDateTime": "2025-01-31T00:00:00Z"},
    "direction": "inbound",
    "relatedParty": [{"id": "42", "role": "customer", "@referredType": "Individual"}],
    "channel": [{"id": "1", "name": "Phone"}],
    "@type": "PartyInteraction",
}


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('seeded')}/s.db"
    options = ("--customers", "2", "--months", "1", "--until", "2025-02-01", "--store", url)
    found = result("seed", *options)
    assert found["path"].endswith("/partyInteraction")
    assert (found["added"] > 0, found["already"]) == (True, 0)
    assert result("seed", *options) == {**found, "added": 0, "already": found["added"]}
    return url


def result(*arguments: str, code: int = 0) -> Any:
    done = tmf683(*arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_every_command_with_a_result_has_the_option() -> None:
    with_option = {
        path
        for path, command in commands(main)
        if any(isinstance(each, click.Option) and "--json" in each.opts for each in command.params)
    }
    assert with_option == {path for path, _ in commands(main)} - WITHOUT_RESULT


def test_indexes(seeded: str) -> None:
    found = result("indexes", "--spec", str(OURS), "--store", seeded)
    assert {each["state"] for each in found} == {"there"}
    assert {
        "collection": "partyInteraction/partyInteraction",
        "index": "direction",
        "state": "there",
        "done": None,
    } in found


def test_check(seeded: str) -> None:
    (found,) = result("check", str(OURS), "--rules")["contracts"]
    assert found["basePath"] == "/tmf-api/partyInteraction/v4"
    assert found["served"] == len(found["operations"]) > 5
    assert {"method", "path", "operationId", "kind"} == found["operations"][0].keys()
    assert found["events"]["partyInteraction"]["create"] == "PartyInteractionCreateEvent"
    assert all(each["rules"] and Path(each["file"]).is_file() for each in found["rules"])
    both = result("check", str(OURS), str(OURS_V5), "--store", seeded)
    assert len(both["contracts"]) == 2
    (stored, _) = both["stored"]
    assert stored["documents"] == stored["passed"] > 0
    assert stored["broken"] == {}


def test_migrate(seeded: str) -> None:
    (found,) = result("migrate", "--to", str(OURS_V5), "--store", seeded, "--dry-run")
    assert found["migrated"] + found["already"] > 0
    assert found["rejected"] == {}
    assert result("migrate", "--to", str(OURS_V5), "--store", seeded, "--commit") == {"removed": 0}


def test_archives(seeded: str, tmp_path: Path) -> None:
    archive, other = f"{tmp_path}/a.ndjson", f"sqlite:///{tmp_path}/other.db"
    found = result("export", "--out", archive, "--store", seeded)
    assert found == {"documents": found["documents"], "resumed": 0, "out": archive}
    imported = result("import", archive, "--store", other)
    assert imported["added"] == found["documents"] > 0
    assert imported["rejects"] == []


def test_rejects_are_told_whole(tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/s.db", "--spec", str(OURS))
    file = tmp_path / "interactions.json"
    file.write_text(json.dumps([{**INTERACTION, "id": str(n), "direction": 1} for n in range(7)]))
    told = result("import", str(file), "--resource", "partyInteraction", *store, code=1)
    assert [each["id"] for each in told["rejects"]] == [str(n) for n in range(7)]
    assert all(each["rules"] for each in told["rejects"])


def test_put(tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/s.db", "--spec", str(OURS))
    file = tmp_path / "one.json"
    for body, outcome, code in (
        (INTERACTION, "added", 0),
        (INTERACTION, "replaced", 0),
        ({**INTERACTION, "direction": 1}, "rejected", 1),
    ):
        file.write_text(json.dumps(body))
        found = result("put", "partyInteraction", str(file), *store, code=code)
        assert (found["id"], found["result"]) == ("one", outcome)
        assert bool(found["rejects"]) == bool(code)


def test_key() -> None:
    found = result("key", "crm", "--access", "read")
    assert found["entry"].startswith("crm")
    assert found["key"] not in found["entry"]


def test_what_is_done_to_events(seeded: str) -> None:
    assert result("events", "purge", "--parked", "--store", seeded) == {"purged": 0}
    assert tmf683("events", "list", "--json", "--store", seeded).stdout == ""
    assert tmf683("events", "remove", "none", "--json", "--store", seeded).returncode == 2
