"""Sample data: deterministic, and as the contract wants it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import open_contracts, open_prepared_store
from app.contract.document.load import load
from app.contract.errors import ContractError
from app.maintenance.history import read_histories
from app.maintenance.new_resource import NewResource
from app.maintenance.samples import samples
from app.maintenance.seed import (
    SeedError,
    Target,
    in_version,
    named,
    seed,
    targets_of,
    with_history,
)
from app.settings import OPENAPI_FOLDER, Settings
from storage import every
from tests.commands import tmf683
from tests.conftest import OURS, OURS_V5, official_specs

HISTORIES = OPENAPI_FOLDER / "histories"
UNTIL = date(2026, 11, 1)


def history_of(
    *specs: Path, customers: int = 10, number: int = 1, profile: Any = "conformance"
) -> tuple[Target, list[NewResource]]:
    contracts = open_contracts(Settings(spec=specs, profile=profile, store="memory:"))
    target, history = with_history(targets_of(contracts), read_histories(HISTORIES))
    told = history.told(customers=customers, months=12, seed=number, until=UNTIL)
    return target, [*in_version(target, history.into.version, told)]


def stored(target: Target, resources: list[NewResource]) -> list[dict[str, Any]]:
    settings = Settings(spec=(OURS, OURS_V5), store="memory:")
    store = open_prepared_store(settings, open_contracts(settings))
    assert seed(target, store, resources).added == len(resources)
    assert seed(target, store, resources).already == len(resources)
    assert store.last_event() == 0
    return [json.loads(each.content) for each in every(store, target.definition.collection)]


def test_the_same_seed_makes_the_same_documents_and_another_does_not() -> None:
    first, again = history_of(OURS)[1], history_of(OURS)[1]
    assert first == again
    other = history_of(OURS, number=2)[1]
    assert not {each.id for each in first} & {each.id for each in other}


def test_a_customer_has_the_same_history_among_more_customers() -> None:
    few, many = history_of(OURS, customers=3)[1], history_of(OURS, customers=6)[1]
    assert many[: len(few)] == few
    assert len(many) > len(few)


@pytest.mark.parametrize("profile", ["conformance", "strict"])
@pytest.mark.parametrize("spec", [OURS, OURS_V5], ids=["v4", "v5"])
def test_a_history_is_stored_as_each_contract_wants_it_with_its_dates(
    spec: Path, profile: str
) -> None:
    target, resources = history_of(spec, profile=profile)
    documents = stored(target, resources)
    assert len(documents) > 80
    for document in documents:
        began = document["interactionDate"]["startDateTime"]
        assert document["creationDate"] == began
        assert began < document["interactionDate"]["endDateTime"] < "2026-11-01"
        assert began > "2025-11-01"


def test_the_version_that_a_history_is_written_in_is_preferred() -> None:
    assert history_of(OURS_V5, OURS)[0].definition.forms.name == "4"


def test_a_history_reads_like_one() -> None:
    _, resources = history_of(OURS, customers=60)
    bodies = [each.body for each in resources]
    parties = {body["relatedParty"][0]["id"] for body in bodies}
    assert len(parties) == 60
    channels = Counter(body["channel"][0]["id"] for body in bodies)
    assert {"hotline", "chat", "shop", "email", "sms"} <= channels.keys()
    by_id = {each.id: each.body for each in resources}
    for body in bodies:
        for link in body.get("interactionRelationship", []):
            before = by_id[link["id"]]
            assert before["relatedParty"][0] == body["relatedParty"][0]
            assert before["creationDate"] < body["creationDate"]
    shops = [body for body in bodies if body["channel"][0]["id"] == "shop"]
    opened = [datetime.fromisoformat(body["creationDate"]) for body in shops]
    assert {each.weekday() for each in opened} <= {0, 1, 2, 3, 4, 5}
    assert {each.hour for each in opened} <= {*range(9, 18)}
    undone = [body["creationDate"] for body in bodies if body["status"] != "completed"]
    assert undone
    assert min(undone) > "2026-10-20"
    winter, summer = (
        sum(body["creationDate"][5:7] in months for body in bodies)
        for months in (("11", "12", "01"), ("06", "07", "08"))
    )
    assert winter > summer


def test_ids_are_ordered_as_creations_are() -> None:
    resources = sorted(history_of(OURS)[1], key=lambda each: each.id)
    times = [each.time for each in resources]
    assert times == sorted(times)


@pytest.mark.slow
def test_any_contract_gets_samples() -> None:
    files = [OURS, OURS_V5, *sorted(official_specs().glob("TMF6[2-4]*"))]
    for file in files:
        settings = Settings(spec=(file,), store="memory:")
        contracts = open_contracts(settings)
        store = open_prepared_store(settings, contracts)
        for target in targets_of(contracts):
            made = [*samples(target, count=3, months=1, seed=5, until=UNTIL)]
            assert made == [*samples(target, count=3, months=1, seed=5, until=UNTIL)]
            assert seed(target, store, made).added == 3, (file, target.name)
        store.close()


def test_an_id_that_is_an_integer_stays_one(tmp_path: Path) -> None:
    document = load(OURS)
    document["components"]["schemas"]["PartyInteraction"]["properties"]["id"]["type"] = "integer"
    for operation in document["paths"]["/partyInteraction/{id}"].values():
        for parameter in operation["parameters"]:
            if parameter.get("name") == "id":
                parameter["schema"] = {"type": "integer"}
    file = tmp_path / "integers.json"
    file.write_text(json.dumps(document))
    target = targets_of(open_contracts(Settings(spec=(file,), store="memory:")))[0]
    assert target.definition.integer_ids
    ids = [each.id for each in samples(target, count=20, months=6, seed=1, until=UNTIL)]
    assert len({*ids}) == 20
    assert all(2**40 < int(id) < 2**53 for id in ids)


def test_what_cannot_be_seeded_is_said() -> None:
    targets = targets_of(open_contracts(Settings(spec=(OURS,), store="memory:")))
    with pytest.raises(SeedError, match="there are: partyInteraction"):
        named(targets, "quote")
    with pytest.raises(SeedError, match="choose a --resource: partyInteraction"):
        with_history(targets, [])


def test_a_resource_that_breaks_its_contract_is_refused() -> None:
    target, _ = history_of(OURS)
    bad = NewResource("1", "2026-01-01T00:00:00.000Z", {"direction": 7})
    settings = Settings(spec=(OURS,), store="memory:")
    store = open_prepared_store(settings, open_contracts(settings))
    with pytest.raises(SeedError, match="/direction"):
        seed(target, store, [bad])
    assert not [*every(store, target.definition.collection)]


def test_a_history_file_that_is_wrong_is_refused_with_its_place(tmp_path: Path) -> None:
    text = next(HISTORIES.glob("*.yaml")).read_text()
    file = tmp_path / "x.history.yaml"
    file.write_text(text.replace("storiesPerMonth: 0.6", "storiesPerMonth: often"))
    with pytest.raises(ContractError, match="/storiesPerMonth"):
        read_histories(tmp_path)
    file.write_text(text.replace("channel: [email, sms]", "channel: [pigeon]", 1))
    with pytest.raises(ContractError, match="no channel pigeon"):
        read_histories(tmp_path)


@pytest.mark.slow
def test_the_command_fills_a_store_and_adds_nothing_again(tmp_path: Path) -> None:
    options = ["--customers", "3", "--until", "2026-11-01", "--store", f"sqlite:///{tmp_path}/x.db"]
    done = tmf683("seed", *options)
    assert done.returncode == 0, done.stderr
    added = int(done.stdout.split()[0])
    assert added > 10
    assert done.stdout.endswith(
        "resources added to /tmf-api/partyInteraction/v4/partyInteraction, 0 were there already\n"
    )
    assert tmf683("seed", *options).stdout.startswith("0 resources added")
    done = tmf683("seed", "--resource", "partyInteraction", "--count", "4", *options[2:])
    assert done.stdout.startswith("4 resources added")
    done = tmf683("seed", "--count", "4", *options[2:])
    assert (done.returncode, done.stderr.startswith("tmf683: --count")) == (2, True)
