"""A derived run against Prism, which answers from TM Forum's document and keeps nothing.

Prism checks requests and makes up answers. Everything that it fails is here with the reason; what
else it does follows the contract.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.bootstrap import open_contracts
from app.conformance import DerivedRun, Outcome, run_derived, text_report
from app.contract.document.load import load
from app.contract.document.normalise import normalise
from app.contract.document.repair import repair
from app.contract.document.upgrade import upgrade
from app.settings import read_settings
from tests.npm import node_folder
from tests.server import eventually, free_port

pytestmark = pytest.mark.slow

PRISM = "@stoplight/prism-cli@5.16.0"
MADE_UP = "answers are made up from the schema, whatever was sent"
KEEPS_NOTHING = "nothing is stored: every id is found, before and after it is deleted"
SENDS_NOTHING = "a mock calls no listener"

FAILURES = {
    ("create with mandatory attributes alone", "Location leads to what was created"): MADE_UP,
    ("create with mandatory attributes alone", "Instance has the values sent"): MADE_UP,
    ("create with all plain attributes", "Location leads to what was created"): MADE_UP,
    ("create with all plain attributes", "Instance has the values sent"): MADE_UP,
    ("page of one", "X-Result-Count counts the page"): "every integer header is 0",
    ("filter by id", "X-Total-Count counts what is found"): "every integer header is 0",
    ("page behind the first", "offset leaves out what came before"): MADE_UP,
    ("select creationDate", "It has no other attribute"): MADE_UP,
    ("patch by application/json", "It is changed"): MADE_UP,
    ("retrieve what does not exist", "Status code is 404"): KEEPS_NOTHING,
    ("retrieve what is deleted", "Status code is 404"): KEEPS_NOTHING,
    ("patch what does not exist", "Status code is 404"): KEEPS_NOTHING,
    ("delete what does not exist", "Status code is 404"): KEEPS_NOTHING,
    ("unregister again", "Status code is 404"): KEEPS_NOTHING,
    ("create for an event", "PartyInteractionCreateEvent is delivered"): SENDS_NOTHING,
    (
        "patch for an event",
        "PartyInteractionAttributeValueChangeEvent is delivered",
    ): SENDS_NOTHING,
    ("patch for an event", "PartyInteractionStatusChangeEvent is delivered"): SENDS_NOTHING,
    ("delete for an event", "PartyInteractionDeleteEvent is delivered"): SENDS_NOTHING,
}
"""Why Prism fails: by the purpose of the request and the assertion."""


@pytest.fixture(scope="module")
def prism(official: Path) -> Iterator[str]:
    """The URL of Prism, which serves the official document."""
    node, modules = node_folder(PRISM)
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [node, modules / ".bin/prism", "mock", "-h", "127.0.0.1", "-p", str(port), official]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: _answers(url))
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/partyInteraction", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def outcome(prism: str, official: Path) -> Outcome:
    (contract,) = open_contracts(read_settings(spec=(official,)))
    document = load(official)
    repair(document)
    options = DerivedRun(
        published=normalise(upgrade(document)), listener="http://127.0.0.1", event_seconds=0.2
    )
    return run_derived(contract, prism, options=options)


def test_everything_that_a_mock_fails_is_explained(outcome: Outcome) -> None:
    found = {
        (exchange.purpose, each.name)
        for exchange in outcome.exchanges
        for each in exchange.assertions
        if not each.passed
    }
    assert found == FAILURES.keys(), text_report(outcome)


def test_every_operation_is_tried_on_a_mock(outcome: Outcome) -> None:
    assert outcome.not_tried == ()
    refused = [each for each in outcome.exchanges if each.status == 400]
    assert len(refused) > 15
    assert all(not each.failed for each in refused)
