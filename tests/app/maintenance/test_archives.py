"""Backup and restore: nothing lost on the way, nothing wrong let in."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import collections_of, open_contracts
from app.settings import read_settings
from storage import Document, Store, every, open_store
from tests.commands import tmf683
from tests.conftest import OURS, OURS_V5

pytestmark = pytest.mark.slow

COLLECTION = "partyInteraction/partyInteraction"
HUB = "partyInteraction/v4/hub"


def interaction(number: int, **other: Any) -> dict[str, Any]:
    return {
        "id": f"{number:08d}",
        "channel": [{"id": "hotline", "href": "/channel/hotline"}],
        "direction": "inbound",
        "reason": f"Reason {number} é ☎",
        "status": "opened",
        "creationDate": "2026-01-01T10:00:00+02:00",
        "interactionDate": {"startDateTime": "2026-01-01T00:00:00Z"},
        "@type": "PartyInteraction",
        "number": 1.0,
        **other,
    }


def filled(url: str, total: int, change: Callable[[int], dict[str, Any]] = interaction) -> None:
    store = prepared(url)
    with store.batch():
        for number in random.Random(7).sample(range(total), total):
            content = json.dumps(change(number), ensure_ascii=False, separators=(",", ":")).encode()
            store.insert(COLLECTION, f"{number:08d}", content, form="4")
    store.close()


def prepared(url: str) -> Store:
    store = open_store(url, durability="normal")
    contracts = open_contracts(read_settings(spec=(OURS, OURS_V5)))
    for name, indexes in collections_of(contracts).items():
        store.prepare(name, indexes)
    return store


def contents(url: str, collection: str = COLLECTION) -> dict[str, Document]:
    store = open_store(url)
    found = {each.id: each for each in every(store, collection)}
    store.close()
    return found


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/one.db"


@pytest.fixture(params=["sqlite", "mongo"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Another store, on which nothing is yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/other.db"
    else:
        yield f"{request.getfixturevalue('mongo')}restored{uuid.uuid4().hex[:8]}"


def ran(*arguments: str, store: str) -> subprocess.CompletedProcess[str]:
    return tmf683(*arguments, "--store", store)


@pytest.mark.parametrize("name", ["all.ndjson", "all.ndjson.zst"])
def test_a_restored_store_has_every_document_byte_for_byte(
    url: str, other: str, tmp_path: Path, name: str
) -> None:
    total = 700 if other.startswith("sqlite") else 150  # what stands in for MongoDB writes slowly
    filled(url, total)
    done = ran("export", "--out", str(tmp_path / name), store=url)
    assert f"{total} documents exported" in done.stdout, done.stderr
    back = ran("import", str(tmp_path / name), store=other)
    assert back.stdout.startswith(f"{total} documents added, 0 replaced, 0 skipped"), back.stderr
    mine, theirs = contents(url), contents(other)
    assert {id: each.content for id, each in theirs.items()} == {
        id: each.content for id, each in mine.items()
    }
    assert {each.form for each in theirs.values()} == {"4"}


def test_an_archive_of_one_version_is_restored_by_another(url: str, tmp_path: Path) -> None:
    filled(url, 20)
    archive, new = str(tmp_path / "all.ndjson"), f"sqlite:///{tmp_path}/new.db"
    ran("export", "--out", archive, "--spec", str(OURS), store=url)
    done = ran("import", archive, "--spec", str(OURS_V5), store=new)
    assert done.returncode == 0, done.stdout
    checked = ran("check", str(OURS_V5), store=new)
    assert "20 of 20 documents fit, 20 of them read through a mapping" in checked.stdout


def test_a_pipe_leads_from_store_to_store(url: str, tmp_path: Path) -> None:
    filled(url, 30)
    new = f"sqlite:///{tmp_path}/new.db"
    command = str(Path(sys.executable).with_name("tmf683"))
    pipe = f"{command} export --out - --store {url} | {command} import - --store {new}"
    done = subprocess.run(pipe, shell=True, capture_output=True, text=True, check=True)
    assert "30 documents added" in done.stdout
    assert len(contents(new)) == 30


@pytest.fixture
def archive(url: str, tmp_path: Path) -> Path:
    filled(url, 10)
    path = tmp_path / "all.ndjson"
    ran("export", "--out", str(path), store=url)
    return path


def test_what_is_there_already_is_passed_over(url: str, archive: Path) -> None:
    done = ran("import", str(archive), store=url)
    assert "0 documents added" in done.stdout
    assert "10 were there already" in done.stdout
    assert {each.version for each in contents(url).values()} == {1}


@pytest.mark.parametrize(
    ("choice", "says", "reason"),
    [("skip", "1 skipped", "mine"), ("replace", "1 replaced", "Reason 3 é ☎")],
)
def test_another_document_of_the_same_id_is_what_the_operator_says(
    url: str, archive: Path, choice: str, says: str, reason: str
) -> None:
    change(url, 3, reason="mine")
    done = ran("import", str(archive), "--on-conflict", choice, store=url)
    assert says in done.stdout
    there = contents(url)["00000003"]
    assert json.loads(there.content)["reason"] == reason
    assert there.version == (3 if choice == "replace" else 2)


def test_a_conflict_stops_the_import_unless_it_is_told_otherwise(url: str, archive: Path) -> None:
    change(url, 3, reason="mine")
    done = ran("import", str(archive), store=url)
    assert done.returncode == 2
    assert "has another 00000003" in done.stderr
    assert json.loads(contents(url)["00000003"].content)["reason"] == "mine"


def change(url: str, number: int, **attributes: Any) -> None:
    store = open_store(url)
    content = json.dumps(interaction(number, **attributes)).encode()
    store.replace(COLLECTION, f"{number:08d}", content, version=1, form="4")
    store.close()


def test_documents_that_break_the_contract_are_rejected_with_pointers(
    url: str, tmp_path: Path
) -> None:
    def broken(number: int) -> dict[str, Any]:
        made = interaction(number)
        if number in (2, 5):
            made["channel"] = [{"href": 7}]
        return made

    filled(url, 8, broken)
    archive, rejects = tmp_path / "all.ndjson", tmp_path / "rejects.ndjson"
    ran("export", "--out", str(archive), store=url)
    new = f"sqlite:///{tmp_path}/new.db"
    done = ran("import", str(archive), "--rejects", str(rejects), store=new)
    assert done.returncode == 1
    assert "6 documents added" in done.stdout
    assert "2 rejected" in done.stdout
    assert "line 4, 00000002: /channel/0" in done.stdout
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [each["id"] for each in told] == ["00000002", "00000005"]
    assert any(rule.startswith("/channel/0") for rule in told[0]["rules"])


def test_a_dry_run_changes_nothing(archive: Path, tmp_path: Path) -> None:
    new = f"sqlite:///{tmp_path}/new.db"
    done = ran("import", str(archive), "--dry-run", store=new)
    assert "10 documents would be added" in done.stdout
    assert not contents(new)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda text: text[: len(text) // 2], "cut off"),
        (lambda text: text.rsplit("\n", 2)[0] + "\n", "cut off"),
        (lambda text: text.replace("Reason 3", "Season 3"), "checksum differs"),
        (lambda text: text.replace('"id":"00000003"', '"id":3', 1), "line 5"),
        (lambda text: text.replace('{"archive"', '{"arch"'), "line 1"),
        (lambda text: "", "cut off"),
        (lambda text: "not json\n", "line 1"),
        (lambda text: text.replace("\n", "\n[]\n", 1), "line 2"),
    ],
)
def test_an_archive_that_is_not_whole_is_refused_before_anything_changes(
    archive: Path, tmp_path: Path, harm: Callable[[str], str], says: str
) -> None:
    archive.write_text(harm(archive.read_text()))
    new = f"sqlite:///{tmp_path}/new.db"
    done = ran("import", str(archive), store=new)
    assert done.returncode == 2
    assert says in done.stderr
    assert not Path(new.removeprefix("sqlite:///")).exists()


def test_what_no_contract_keeps_is_rejected(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.ndjson"
    lines = archive.read_text().splitlines()
    lines[1] = lines[1].replace(COLLECTION, "elsewhere/thing")
    other.write_text("\n".join(lines) + "\n")
    new = f"sqlite:///{tmp_path}/new.db"
    with other.open("rb") as file:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("tmf683")), "import", "-", "--store", new],
            stdin=file, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert "checksum differs" in done.stderr  # a pipe is believed only at its end
    assert not contents(new)


def test_what_is_not_there_is_not_exported(tmp_path: Path) -> None:
    out = tmp_path / "none" / "a.ndjson"
    absent = tmf683("export", "--store", f"sqlite:///{tmp_path}/none.db", "--out", str(out))
    assert (absent.returncode, absent.stdout) == (2, "")
    assert absent.stderr.endswith("does not exist\n")
    assert not (tmp_path / "none.db").exists()
    open_store(f"sqlite:///{tmp_path}/s.db").close()
    nowhere = tmf683("export", "--store", f"sqlite:///{tmp_path}/s.db", "--out", str(out))
    assert nowhere.returncode == 2
    assert nowhere.stderr.endswith(f"tmf683: {out}.part: No such file or directory\n")


def test_one_collection_can_be_exported(url: str, tmp_path: Path) -> None:
    filled(url, 3)
    done = ran("export", "--out", str(tmp_path / "a"), "--collection", HUB, store=url)
    assert "0 documents exported" in done.stdout
    wrong = ran("export", "--out", str(tmp_path / "b"), "--collection", "x", store=url)
    assert wrong.returncode == 2
    assert COLLECTION in wrong.stderr


def test_killed_exports_and_imports_go_on_where_they_stopped(url: str, tmp_path: Path) -> None:
    filled(url, 30_000)
    archive, new = tmp_path / "all.ndjson", f"sqlite:///{tmp_path}/new.db"
    part = archive.with_name("all.ndjson.part")
    kill(["export", "--out", str(archive), "--store", url], lambda: size(part) > 2_000_000)
    assert not archive.exists()
    done = ran("export", "--out", str(archive), store=url)
    assert "30000 documents exported" in done.stdout
    assert "by an earlier attempt" in done.stdout
    assert sorted(tmp_path.glob("all*")) == [archive]
    database = Path(new.removeprefix("sqlite:///"))
    kill(["import", str(archive), "--store", new], lambda: size(database) > 2_000_000)
    back = ran("import", str(archive), store=new)
    added, _, already = (int(back.stdout.split()[each]) for each in (0, 3, 7))
    assert added + already == 30_000
    assert already > 0
    assert contents(new).keys() == contents(url).keys()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def kill(arguments: list[str], when: Callable[[], bool]) -> None:
    command = [str(Path(sys.executable).with_name("tmf683")), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not when():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
