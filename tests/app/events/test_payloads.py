"""What a change becomes: which events, in the shape of each contract."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from app.contract import Contract
from app.events.outbound.payloads import EventContent, EventRenderer, OutgoingEvent
from app.tmf630.definitions import Change
from tests.app.contract.test_mapping import CONTRACTS, random_documents

KEY = "01a20977-cad7-7762-9b08-af5052556236"
TIME = "2026-11-23T12:00:00.000Z"


def record(change: Change, content: dict[str, Any], form: str, **more: Any) -> dict[str, Any]:
    return {
        "key": KEY, "time": TIME, "change": change, "id": content["id"], "parent": None,
        "collection": "partyInteraction/partyInteraction", "form": form,
        "base": "http://api.example.com", "correlation": None, "content": content, **more,
    }  # fmt: skip


def events(
    version: str, data: dict[str, Any], content: EventContent = EventContent.CONTRACT
) -> list[OutgoingEvent]:
    return list(EventRenderer(CONTRACTS[version], content).events_of(data))


RESOURCE = {
    "id": "7", "@type": "PartyInteraction", "reason": "r", "status": "open", "description": "d",
}  # fmt: skip
MOVED: dict[str, Any] = {"attributes": ["status", "reason"], "status": ["status"]}


def types(version: str, change: Change, **more: Any) -> list[str]:
    return [each.type for each in events(version, record(change, RESOURCE, version, **more))]


@pytest.mark.parametrize("version", ["4", "5"])
def test_each_change_has_its_event(version: str) -> None:
    name = "PartyInteraction"
    assert types(version, Change.CREATE) == [f"{name}CreateEvent"]
    assert types(version, Change.DELETE) == [f"{name}DeleteEvent"]
    only_status = {"attributes": ["status"], "status": ["status"]}
    assert types(version, Change.ATTRIBUTE, **only_status) == [f"{name}StatusChangeEvent"]
    others = {"attributes": ["reason", "description"], "status": []}
    assert types(version, Change.ATTRIBUTE, **others) == [f"{name}AttributeValueChangeEvent"]
    both = {"attributes": ["status", "reason", "description"], "status": ["status"]}
    assert types(version, Change.ATTRIBUTE, **both) == [
        f"{name}StatusChangeEvent",
        f"{name}AttributeValueChangeEvent",
    ]


@pytest.mark.parametrize("written", ["4", "5"])
@pytest.mark.parametrize("version", ["4", "5"])
def test_an_event_follows_the_schema_of_its_contract(version: str, written: str) -> None:
    """Whichever version wrote the resource, and whatever is in it."""
    contract: Contract = CONTRACTS[version]
    definitions = contract.announced[0].events
    random = Random(version + written)
    for document in random_documents(written, 300):
        names = [name for name in document if name != "id" and random.random() < 0.5]
        status = [name for name in names if name == "status"]
        for change in (Change.CREATE, Change.ATTRIBUTE, Change.DELETE):
            data = record(change, document, written, attributes=names, status=status)
            for event in events(version, data):
                by_type = {each.type: each for each in definitions.values()}
                violations = by_type[event.type].validator.violations(event.body)
                assert not violations, (event.type, violations)


def test_an_event_says_what_when_and_why() -> None:
    data = record(Change.CREATE, RESOURCE, "5", correlation="call-17")
    (event,) = events("5", data)
    href = "http://api.example.com/tmf-api/partyInteraction/v5/partyInteraction/7"
    assert event.body == {
        "@type": "PartyInteractionCreateEvent",
        "eventId": event.id,
        "eventTime": TIME,
        "eventType": "PartyInteractionCreateEvent",
        "correlationId": "call-17",
        "domain": "Party Interaction",
        "title": "PartyInteractionCreateEvent",
        "description": f"PartyInteractionCreateEvent of {href}",
        "timeOccurred": TIME,
        "event": {"partyInteraction": {**RESOURCE, "href": href}},
    }


def test_an_event_has_the_same_id_however_often_it_is_made() -> None:
    data = record(
        Change.ATTRIBUTE, RESOURCE, "4", attributes=["status", "reason"], status=["status"]
    )
    first, second = events("4", data)
    assert first.id != second.id
    assert [each.id for each in events("4", data)] == [first.id, second.id]
    assert [each.id for each in events("5", data)] == [first.id, second.id]


def test_the_path_of_what_changed_is_named_in_the_listeners_words() -> None:
    content = {**RESOURCE, "channel": [{"id": "1", "href": "/c/1"}]}
    data = record(Change.ATTRIBUTE, content, "4", attributes=["channel", "reason"], status=[])
    (four,) = events("4", data)
    assert four.body["fieldPath"] == "channel,reason"
    (five,) = events("5", data)
    assert "relatedChannel" in five.body["event"]["partyInteraction"]
    assert "fieldPath" not in five.body  # its contract has none


PAYLOAD: list[tuple[str, EventContent, Change, Callable[[set[str]], bool]]] = [
    ("4", EventContent.CONTRACT, Change.DELETE, lambda names: "description" in names),
    ("5", EventContent.CONTRACT, Change.CREATE, lambda names: "description" in names),
    ("5", EventContent.CONTRACT, Change.DELETE, lambda names: names == {"id", "href", "@type"}),
    ("5", EventContent.WHOLE, Change.DELETE, lambda names: "description" in names),
    ("4", EventContent.CHANGES, Change.DELETE, lambda names: names == {"id", "href", "@type"}),
]


@pytest.mark.parametrize(("version", "content", "change", "fits"), PAYLOAD)
def test_how_much_an_event_carries_follows_release_and_setting(
    version: str, content: EventContent, change: Change, fits: Callable[[set[str]], bool]
) -> None:
    (event,) = events(version, record(change, RESOURCE, version), content)
    assert fits(set(event.body["event"]["partyInteraction"]))


def test_a_change_carries_what_changed() -> None:
    data = record(
        Change.ATTRIBUTE, RESOURCE, "5", attributes=["status", "reason"], status=["status"]
    )
    status, attribute = (each.body["event"]["partyInteraction"] for each in events("5", data))
    assert status.keys() == {"id", "href", "@type", "status"}
    assert attribute.keys() == {"id", "href", "@type", "reason"}


def test_another_collection_has_no_events() -> None:
    data = record(Change.CREATE, RESOURCE, "4") | {"collection": "other/thing"}
    assert events("4", data) == []
