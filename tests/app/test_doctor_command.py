"""`tmf683 doctor` on SQLite: what it says of a store, and its exit code."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.bootstrap import open_contracts, open_prepared_store
from app.cli import main
from app.settings import read_settings

pytestmark = pytest.mark.slow

COLLECTION = "partyInteraction/partyInteraction"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store as a server leaves it, with one document."""
    settings = read_settings(store=f"sqlite:///{tmp_path}/s.db", event_log="all")
    store = open_prepared_store(settings, open_contracts(settings))
    store.insert(COLLECTION, "a", b'{"id":"a"}', form="4", events=[b"{}"])
    store.close()
    return tmp_path / "s.db"


def doctor(file: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "--store", f"sqlite:///{file}", *options])


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()


def states(result: Result) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in json.loads(result.output):
        found.setdefault(row["name"], set()).add(row["state"])
    return found


def test_a_sound_store_has_no_problem(file: Path) -> None:
    done = doctor(file, "--strict")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    names = {"server", "schema", "journal", "integrity", "space", "indexes", "totals", "log"}
    assert {line.split()[1] for line in lines} == {*names, "documents", "backlog"}
    assert any(line.endswith(f"the largest are {COLLECTION} a 10 bytes") for line in lines)
    assert any("1 events are kept" in line for line in lines)


def test_a_missing_index_is_a_problem(file: Path) -> None:
    change(file, "DELETE FROM hint WHERE name = 'direction'")
    done = doctor(file)
    assert done.exit_code == 1
    assert f"problem  indexes    {COLLECTION}: direction (missing)" in done.output


def test_totals_that_do_not_count_what_is_there_are_a_problem(file: Path) -> None:
    change(file, f"UPDATE collection SET documents = 5 WHERE name = '{COLLECTION}'")
    done = doctor(file, "--json")
    assert done.exit_code == 1
    assert states(done)["totals"] == {"problem"}


def test_large_documents_are_a_warning(file: Path) -> None:
    change(file, "UPDATE document SET content = '\"' || hex(zeroblob(3000000)) || '\"'")
    done = doctor(file, "--json")
    assert done.exit_code == 0
    assert states(done)["documents"] == {"warning"}
    assert doctor(file, "--strict").exit_code == 1


def test_a_store_of_an_earlier_schema_stays_as_it_is(file: Path) -> None:
    change(file, "PRAGMA user_version = 2")
    done = doctor(file, "--json")
    assert done.exit_code == 0
    assert states(done)["schema"] == {"warning"}
    assert "backlog" not in states(done)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_store_of_a_newer_release_is_a_problem(file: Path) -> None:
    change(file, "PRAGMA user_version = 99")
    done = doctor(file)
    assert done.exit_code == 1
    assert "version 99 is of a newer release" in done.output


def test_a_damaged_file_is_a_problem(file: Path) -> None:
    change(file, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.write_bytes(content)
    done = doctor(file)
    assert done.exit_code in (1, 2)
    assert "malformed" in done.output or "problem  integrity" in done.output


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = doctor(tmp_path / "none.db")
    says = f"tmf683: store {tmp_path}/none.db does not exist\n"
    assert (done.exit_code, done.output) == (2, says)
    assert list(tmp_path.iterdir()) == []
    done = CliRunner().invoke(main, ["doctor", "--store", "memory:"])
    assert done.exit_code == 2
    assert "ends with its process" in done.output
