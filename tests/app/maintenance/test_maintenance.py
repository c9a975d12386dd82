"""Checking stored documents against a contract, and migrating them, with the real command."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from app.bootstrap import open_contracts, open_prepared_store
from app.contract import Kind
from app.maintenance import migrate
from app.settings import read_settings
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.representation import decode, encode, encode_change
from storage import Document, Query, Store, Window, json, open_store
from tests.app.contract.test_mapping import random_documents
from tests.commands import tmf683
from tests.conftest import OURS, OURS_V5
from tests.server import clean_environment

COLLECTION = "partyInteraction/partyInteraction"
COPIES = f"{COLLECTION}@before"
V4, V5 = "4", "5"


def definition_of(file: Path) -> ResourceDefinition:
    (contract,) = open_contracts(read_settings(spec=(file,), store="memory:"))
    return next(
        each.definition
        for each in contract.bindings
        if each.kind is Kind.CREATE and each.definition is not None
    )


def interactions(count: int) -> list[dict[str, Any]]:
    """Return random interactions with all that a creation must bring."""
    mandatory: dict[str, Any] = {"direction": "inbound", "reason": "r", "status": "s"}
    mandatory |= {"channel": [], "interactionDate": {}}
    return [mandatory | document for document in random_documents(V4, count)]


def fill(url: str, documents: list[dict[str, Any]], form: str) -> None:
    settings = read_settings(spec=(OURS,), store=url, durability="normal")
    store = open_prepared_store(settings, open_contracts(settings))
    definition = definition_of(OURS)
    with store.batch():
        for document in documents:
            store.insert(COLLECTION, document["id"], encode(definition, document), form=form)
    store.close()


def stored(store: Store, collection: str = COLLECTION) -> dict[str, Document]:
    found: dict[str, Document] = {}
    after = None
    while True:
        page = store.find(collection, Query(window=Window(0, 1000), after=after, count=False))
        found |= {each.id: each for each in page.documents}
        if page.end is None:
            return found
        after = page.end


@pytest.fixture(params=["sqlite", "mongo"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "mongo":
        return f"{request.getfixturevalue('mongo')}upkeep{uuid.uuid4().hex[:8]}"
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def opened(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


def test_check_reads_stored_documents_through_the_mapping(url: str, opened: Store) -> None:
    fill(url, interactions(20), V4)
    before = stored(opened)
    done = tmf683("check", str(OURS_V5), "--store", url)
    assert "20 of 20 documents fit, 20 of them read through a mapping" in done.stdout, done.stderr
    assert done.returncode == 0
    assert stored(opened) == before


def test_check_says_which_rules_are_broken_with_examples(url: str) -> None:
    broken = {"direction": 7, "note": [{"date": "soon"}]}
    fill(url, [*({**broken, "id": id} for id in ("w1", "w2")), *interactions(3)], V4)
    done = tmf683("check", str(OURS), "--store", url)
    assert done.returncode == 1
    rule = "/note/*/date must be a date-time such as 2026-01-31T09:30:00Z (RFC 3339)"
    assert f"breaks: {rule} (2, such as w2, w1)" in done.stdout
    assert "breaks: /direction must be of type string (2, such as w2, w1)" in done.stdout


def test_check_lists_what_the_new_contract_cannot_hold(url: str) -> None:
    fill(url, [interactions(1)[0] | {"id": "a", "attachment": [{"content": "no!"}]}], V4)
    done = tmf683("check", str(OURS_V5), "--store", url)
    assert "kept aside: attachment (1, such as a)" in done.stdout


def test_a_dry_run_changes_nothing(url: str, opened: Store) -> None:
    fill(url, interactions(10), V4)
    before = stored(opened)
    done = tmf683("migrate", "--to", str(OURS_V5), "--store", url, "--dry-run")
    assert "10 documents would be migrated, 0 are in this form already" in done.stdout
    assert stored(opened) == before
    assert not stored(opened, COPIES)


def test_a_migration_keeps_what_was_until_it_is_committed(url: str, opened: Store) -> None:
    documents = interactions(30)
    fill(url, documents, V4)
    before = stored(opened)
    done = tmf683("migrate", "--to", str(OURS_V5), "--store", url)
    assert "30 documents migrated, 0 are in this form already" in done.stdout, done.stderr
    after = stored(opened)
    assert {each.form.partition("+")[0] for each in after.values()} == {V5}
    assert {id: each.content for id, each in stored(opened, COPIES).items()} == {
        id: each.content for id, each in before.items()
    }
    again = tmf683("migrate", "--to", str(OURS_V5), "--store", url)
    assert "0 documents migrated, 30 are in this form already" in again.stdout
    committed = tmf683("migrate", "--to", str(OURS_V5), "--store", url, "--commit")
    assert committed.stdout == "30 documents of before removed\n"
    assert not stored(opened, COPIES)
    assert stored(opened) == after


def test_a_migration_and_its_way_back_lose_nothing(url: str, opened: Store) -> None:
    documents = interactions(50)
    fill(url, documents, V4)
    for file in (OURS_V5, OURS):
        assert tmf683("migrate", "--to", str(file), "--store", url).returncode == 0
    definition = definition_of(OURS)
    back = {id: decode(definition, each) for id, each in stored(opened).items()}
    wanted = [{k: v for k, v in each.items() if k != "href"} for each in documents]
    assert back == {each["id"]: each for each in wanted}


def test_what_an_earlier_release_wrote_without_saying_how_is_the_older_version(url: str) -> None:
    fill(url, interactions(1), "")
    done = tmf683("check", str(OURS_V5), "--store", url)
    assert "1 of 1 documents fit, 1 of them read through a mapping" in done.stdout


def test_an_empty_store_has_nothing_to_migrate(url: str) -> None:
    open_store(url).close()
    assert (
        tmf683("migrate", "--to", str(OURS_V5), "--store", url).stdout
        == "no documents are stored\n"
    )
    assert "no documents are stored" in tmf683("check", str(OURS_V5), "--store", url).stdout


class Meddled:
    """A store in which something happens just before a batch of writes."""

    def __init__(self, store: Store, meddle: Callable[[], None]) -> None:
        self._store = store
        self._meddle = meddle
        self.writing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def batch(self) -> Iterator[None]:
        self._meddle()
        self.writing = True
        with self._store.batch():
            yield
        self.writing = False


def test_what_others_write_during_a_migration_is_respected(
    url: str, opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(url, [each | {"id": id} for id, each in zip("abc", interactions(3), strict=True)], V4)
    (contract,) = open_contracts(read_settings(spec=(OURS_V5,), store="memory:"))
    old, new = definition_of(OURS), definition_of(OURS_V5)

    def meddle() -> None:
        opened.delete(COLLECTION, "a", version=1)
        for id, definition in (("b", old), ("c", new)):
            document = opened.get(COLLECTION, id)
            before = decode(definition, document)
            after = before | {"reason": "changed meanwhile"}
            content, form = encode_change(definition, document, before, after)
            opened.replace(COLLECTION, id, content, version=1, form=form)

    meddled = Meddled(opened, meddle)

    def decoded(definition: ResourceDefinition, document: Document) -> dict[str, Any]:
        if document.version == 1:
            assert not meddled.writing, "others wait while documents are translated"
        return decode(definition, document)

    monkeypatch.setattr(sys.modules["app.maintenance.migrate"], "decode", decoded)
    (migration,) = migrate(contract, cast("Store", meddled))
    assert (migration.migrated, migration.already) == (1, 1)
    after = stored(opened)
    assert after.keys() == {"b", "c"}
    for document in after.values():
        assert document.form.partition("+")[0] == V5
        assert decode(new, document)["reason"] == "changed meanwhile"


def survive_kills(url: str, count: int, kills: int) -> None:
    """Migrate, killing the command while it works; then let it finish, and look at the result."""
    fill(url, interactions(count), V4)
    store = open_store(url)
    before = stored(store)
    command = [str(Path(sys.executable).with_name("tmf683")), "migrate"]
    command += ["--to", str(OURS_V5), "--store", url]
    seen = [0]
    for _ in range(kills):
        process = subprocess.Popen(
            command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            time.sleep(0.02)
            kept = store.find(COPIES, Query(window=Window(0, 0))).total or 0
            if kept > seen[-1] + count // (kills + 3):
                process.send_signal(signal.SIGKILL)
                process.wait()
        seen.append(sum(each.form != V4 for each in stored(store).values()))
        assert process.returncode == -signal.SIGKILL, "it was over before it was killed"
        assert seen[-2] < seen[-1] < count
    done = tmf683("migrate", "--to", str(OURS_V5), "--store", url)
    (migrated, already) = re.findall(r"(\d+) documents migrated, (\d+) are", done.stdout)[0]
    assert (int(migrated), int(already)) == (count - seen[-1], seen[-1])
    after = stored(store)
    assert after.keys() == before.keys()
    assert {each.version for each in after.values()} == {2}
    assert {id: each.content for id, each in stored(store, COPIES).items()} == {
        id: each.content for id, each in before.items()
    }
    definition = definition_of(OURS)
    for id, document in Random(1).sample(sorted(after.items()), min(count, 500)):
        assert decode(definition, document) == json.loads(before[id].content)
    store.close()


@pytest.mark.slow
def test_a_migration_survives_being_killed(tmp_path: Path) -> None:
    survive_kills(f"sqlite:///{tmp_path}/store.db", 3000, 2)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_migration_of_many_documents_survives_being_killed(tmp_path: Path) -> None:
    survive_kills(f"sqlite:///{tmp_path}/store.db", 100_000, 2)


def test_versions_without_a_mapping_are_carried_over_where_they_fit(
    url: str, opened: Store, tmp_path: Path
) -> None:
    files = []
    for major, required in ((1, ["name"]), (2, ["name", "size"])):
        file = tmp_path / f"thing{major}.json"
        file.write_bytes(json.dumps(thing_contract(major, required)))
        files.append(file)
    definition = definition_of(files[0])
    opened.prepare(definition.collection, ())
    for body in ({"id": "fits", "name": "a", "size": 1}, {"id": "lacks", "name": "b"}):
        opened.insert(definition.collection, body["id"], encode(definition, body), form="1")
    done = tmf683("migrate", "--to", str(files[1]), "--store", url)
    assert done.returncode == 1
    assert "thing/v1/thing: 1 documents migrated" in done.stdout
    assert "left as it is: /size is required (1, such as lacks)" in done.stdout
    assert stored(opened, "thing/v2/thing").keys() == {"fits"}
    assert stored(opened, "thing/v1/thing").keys() == {"fits", "lacks"}
    tmf683("migrate", "--to", str(files[1]), "--store", url, "--commit")
    assert stored(opened, "thing/v1/thing").keys() == {"lacks"}


def thing_contract(major: int, required: list[str]) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Thing", "version": f"{major}.0"},
        "paths": {
            "/thing": {
                "post": {"requestBody": body, "responses": {"201": {"description": "", **body}}}
            }
        },
        "components": {
            "schemas": {
                "Thing": {
                    "type": "object",
                    "required": required,
                    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
                },
                "Error": {"type": "object"},
            }
        },
    }
