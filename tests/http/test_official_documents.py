"""TM Forum's own documents, all served at once: conformance derived from each, and its examples."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.conformance import DerivedRun, run_derived, text_report
from app.contract import Contract, Kind, open_contract
from app.contract.document.examples import examples_of
from app.contract.document.load import Json, load
from app.contract.document.normalise import normalise
from app.contract.document.overlay import read_overlays
from app.contract.document.repair import repair
from app.contract.document.upgrade import upgrade
from app.settings import OPENAPI_FOLDER
from tests.conftest import OFFICIAL_V5_NAME, official_specs
from tests.http.conftest import error_of
from tests.server import START_SECONDS, Server, eventually, running_server

pytestmark = pytest.mark.slow

CONTRADICTIONS = {
    "TMF620-Product_Catalog_Management-v5.0.0.oas.yaml": [
        "/paths/~1productOffering/post/requestBody/content/application~1json/examples/Pro"
        "duct_Offering_Create_example: /productOfferingPrice/0/priceType is required",
        "/paths/~1productSpecification/get/responses/200/content/application~1json/exampl"
        "es/ProductSpecification_list_example: /0/productSpecCharacteristic/0/characteris"
        "ticValueSpecification/0/value must be of type number",
        "/paths/~1productSpecification/post/requestBody/content/application~1json/example"
        "s/Product_Specification_Create_example: /productSpecCharacteristic/0/characteris"
        "ticValueSpecification/0/value must be of type number",
        "/paths/~1productSpecification/post/responses/201/content/application~1json/examp"
        "les/Product_Specification_Create_example: /productSpecCharacteristic/0/character"
        "isticValueSpecification/0/value must be of type number",
    ],
    "TMF621-Trouble_Ticket-v5.0.1.oas.yaml": [
        "/paths/~1listener~1troubleTicketCreateEvent/post/requestBody/content/application"
        "~1json/examples/TroubleTicket_listener_troubleTicketCreateEvent_POST_204_1: /eve"
        "nt/troubleTicket/attachment/0/content must be base64 text",
    ],
    "TMF666-Account_Management-v5.0.0.oas.yaml": [
        "/paths/~1billFormat~1{id}/patch/requestBody/content/application~1json-patch+json"
        "/examples/BillFormat_update_example_JSON_Patch: / must be of type array",
        "/paths/~1billPresentationMedia~1{id}/patch/requestBody/content/application~1json"
        "-patch+json/examples/BillPresentationMedia_update_example_JSON_Patch: / must be "
        "of type array",
        "/paths/~1billingAccount~1{id}/patch/requestBody/content/application~1json-patch+"
        "json/examples/BillingAccount_Update_example_JSON_Patch: / must be of type array",
        "/paths/~1billingAccount~1{id}/patch/requestBody/content/application~1json-patch-"
        "query+json/examples/BillingAccount_Update_example_JSON_Patch: / must be of type "
        "array",
        "/paths/~1billingCycleSpecification~1{id}/patch/requestBody/content/application~1"
        "json-patch+json/examples/BillingCycleSpecification_update_example_JSON_Patch_Que"
        "ry: / must be of type array",
        "/paths/~1billingCycleSpecification~1{id}/patch/requestBody/content/application~1"
        "json-patch-query+json/examples/BillingCycleSpecification_update_example_JSON_Pat"
        "ch: / must be of type array",
        "/paths/~1settlementAccount~1{id}/patch/requestBody/content/application~1json-pat"
        "ch+json/examples/SettlementAccount_Update_example_JSON_Patch: / must be of type "
        "array",
    ],
}
"""The examples of each document that break their own schemas."""


def documents() -> list[Path]:
    return sorted(official_specs().glob("TMF*"))


@pytest.fixture(scope="module", params=["sqlite", "mongo"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    store = None
    if request.param == "mongo":
        store = f"{request.getfixturevalue('mongo')}official{uuid.uuid4().hex[:8]}"
    env = {"TMF_VALIDATE_RESPONSES": "true", "TMF_DURABILITY": "normal"}
    env["TMF_CALLBACK_ALLOW"] = "127.0.0.1"
    with running_server(*documents(), store=store, env=env) as running:
        # The process that delivers events compiles fifteen documents first.
        assert eventually(lambda: "deliverer.started" in running.log(), 4 * START_SECONDS)
        yield running


def opened(file: Path) -> Contract:
    return open_contract(file, overlays=read_overlays(OPENAPI_FOLDER / "overlays"))


def published(file: Path) -> Json:
    """Return a document as its author wrote it, slips aside."""
    document = load(file)
    repair(document)
    return normalise(upgrade(document))


@pytest.mark.slow
def test_every_operation_of_every_document_is_served() -> None:
    for file in documents():
        unserved = [each.path for each in opened(file).bindings if each.unserved]
        assert not unserved, file.name


@pytest.mark.slow
def test_every_document_passes_the_run_derived_from_it(server: Server) -> None:
    for file, url in zip(documents(), server.base_urls, strict=True):
        options = DerivedRun(
            published=published(file), listener="http://127.0.0.1", event_seconds=START_SECONDS
        )
        outcome = run_derived(opened(file), url, options=options)
        assert outcome.failed == 0, text_report(outcome)
        assert outcome.assertions > 50


@pytest.mark.slow
def test_examples_that_contradict_their_schema_are_listed() -> None:
    for file in documents():
        found = [str(each) for each in opened(file).contradictions]
        assert found == CONTRADICTIONS.get(file.name, [])


def holds_all(read: Any, sent: Any) -> bool:
    """Whether everything sent is there; the server may have filled in attributes beside it."""
    if isinstance(sent, dict) and isinstance(read, dict):
        return all(name in read and holds_all(read[name], sent[name]) for name in sent)
    if isinstance(sent, list) and isinstance(read, list):
        return len(read) == len(sent) and all(map(holds_all, read, sent))
    return bool(read == sent)


@pytest.mark.slow
def test_every_example_request_is_accepted_and_comes_back_whole(server: Server) -> None:
    tried = 0
    for file, url in zip(documents(), server.base_urls, strict=True):
        contract = opened(file)
        for binding in contract.bindings:
            if binding.kind is not Kind.CREATE:
                continue
            for example in examples_of(contract.document, binding.path, "post"):
                answer = httpx.post(f"{url}{binding.path}", json=example, trust_env=False)
                assert answer.status_code == 201, answer.text
                read = httpx.get(answer.headers["location"], trust_env=False).json()
                managed = {"id", "href", "creationDate", "lastUpdate"}
                for name in example.keys() - managed:
                    assert holds_all(read[name], example[name]), name
                tried += 1
    assert tried >= 3


@pytest.mark.slow
def test_every_example_patch_is_accepted(server: Server) -> None:
    """Among them one whose operation is `delete`, which TM Forum's schema does not list."""
    files = documents()
    url = server.base_urls[[each.name for each in files].index(OFFICIAL_V5_NAME)]
    document = load(official_specs() / OFFICIAL_V5_NAME)
    examples = document["components"]["examples"]
    created = examples["Party_Interaction_create_example_request"]["value"]
    prefix = "Party_Interaction_partialupdate_example_"
    types = {
        "application_json": "application/json",
        "merge_patch_json": "application/merge-patch+json",
        "json_patch_json": "application/json-patch+json",
        "json_patch_query_json": "application/json-patch-query+json",
    }
    for word, media_type in types.items():
        patch = examples[f"{prefix}{word}_request"]["value"]
        there = httpx.post(f"{url}/partyInteraction", json=created, trust_env=False)
        answer = httpx.patch(
            there.headers["location"],
            json=patch,
            headers={"Content-Type": media_type},
            trust_env=False,
        )
        assert answer.status_code == 200, (word, answer.text)
        assert answer.json() != there.json()


@pytest.mark.slow
def test_unknown_types_are_kept_or_refused() -> None:
    example = {
        "@type": "PartyInteraction",
        "reason": "r",
        "direction": "inbound",
        "relatedChannel": [
            {"@type": "RelatedChannel", "role": "r", "channel": {"@type": "ChannelRef", "id": "1"}}
        ],
        "relatedParty": [
            {
                "@type": "RelatedPartyOrPartyRole",
                "role": "r",
                "partyOrPartyRole": {"@type": "Robot", "serial": {"empty": {}}},
            }
        ],
    }
    file = official_specs() / OFFICIAL_V5_NAME
    for policy in ("keep", "refuse"):
        with running_server(file, store="memory:", env={"TMF_UNKNOWN_TYPES": policy}) as server:
            answer = httpx.post(
                f"{server.base_url}/partyInteraction", json=example, trust_env=False
            )
        if policy == "keep":
            assert answer.status_code == 201
            assert answer.json()["relatedParty"] == example["relatedParty"]
        else:
            message = error_of(answer, 400)["message"]
            assert message.startswith(
                "/relatedParty/0/partyOrPartyRole/@type must be one of PartyRef or PartyRoleRef"
            )
            assert len(message) < 300


@pytest.mark.slow
def test_a_deep_error_is_told_in_the_words_of_the_chosen_class(server: Server) -> None:
    files = documents()
    url = server.base_urls[[each.name for each in files].index(OFFICIAL_V5_NAME)]
    document = load(official_specs() / OFFICIAL_V5_NAME)
    body = document["components"]["examples"]["Party_Interaction_create_example_request"]["value"]
    party = {
        "@type": "Individual",
        "languageAbility": [{"@type": "LanguageAbility", "languageName": 5}],
    }
    body["relatedParty"][0]["partyOrPartyRole"] = party
    answer = httpx.post(f"{url}/partyInteraction", json=body, trust_env=False)
    message = error_of(answer, 400)["message"]
    place = "/relatedParty/0/partyOrPartyRole/languageAbility/0/languageName"
    assert message == f"{place} must be of type string"


def url_of(server: Server, number: str) -> str:
    (position,) = (index for index, each in enumerate(documents()) if each.name.startswith(number))
    return server.base_urls[position]


@pytest.mark.slow
def test_the_request_schema_decides_what_is_accepted(server: Server) -> None:
    """A reference without an id, which the answer's schema requires and the request's does not."""
    body = {
        "@type": "Customer",
        "name": "Moon FC",
        "engagedParty": {"@type": "PartyRef", "name": "Moon"},
    }
    made = httpx.post(f"{url_of(server, 'TMF629')}/customer", json=body, trust_env=False)
    assert made.status_code == 201, made.text
    assert made.json()["engagedParty"] == body["engagedParty"]
    location = made.headers["location"]
    changed = httpx.patch(location, json={**body, "name": "Mars FC"}, trust_env=False)
    assert changed.status_code == 200, changed.text
    assert changed.json()["engagedParty"] == body["engagedParty"]
    patch = [{"op": "replace", "path": "/engagedParty/name", "value": 5}]
    refused = httpx.patch(
        location,
        json=patch,
        headers={"Content-Type": "application/json-patch+json"},
        trust_env=False,
    )
    assert refused.status_code in (400, 409), refused.text
    assert "/engagedParty/name" in refused.json()["message"]


@pytest.mark.slow
def test_a_creation_need_not_bring_what_no_client_can_send(server: Server) -> None:
    made = httpx.post(
        f"{url_of(server, 'TMF639')}/resource",
        json={"name": "router", "@type": "LogicalResource"},
        trust_env=False,
    )
    assert made.status_code == 201, made.text
    assert made.json().keys() >= {"id", "href", "name"}
