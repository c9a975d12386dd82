"""Registering at the hub, and receiving the events of others."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from tests.http.conftest import error_of


def listener(**attributes: Any) -> dict[str, Any]:
    return {"callback": f"https://listener.example/{uuid.uuid4()}"} | attributes


def test_a_listener_registers_and_unregisters(api: httpx.Client) -> None:
    wanted = listener(query="eventType=PartyInteractionCreateEvent")
    answer = api.post("/hub", json=wanted)
    assert answer.status_code == 201
    subscription = answer.json()
    assert subscription.items() >= wanted.items()
    assert answer.headers["location"].endswith(f"/hub/{subscription['id']}")
    assert api.delete(answer.headers["location"]).status_code == 204
    error_of(api.delete(answer.headers["location"]), 404)


def test_the_same_callback_and_query_register_once(api: httpx.Client) -> None:
    wanted = listener(query="eventType=PartyInteractionCreateEvent")
    first = api.post("/hub", json=wanted).json()
    assert first["id"] in error_of(api.post("/hub", json=wanted), 409)["message"]
    assert api.post("/hub", json=wanted | {"query": "eventId=1"}).status_code == 201


def test_an_empty_query_is_no_query(api: httpx.Client) -> None:
    wanted = listener()
    assert api.post("/hub", json=wanted).status_code == 201
    error_of(api.post("/hub", json=wanted | {"query": ""}), 409)


@pytest.mark.parametrize(
    "callback",
    [
        "", "listener", "/listener", "ftp://a.example/", "https://", "http://a.example/#part",
        "http://user:secret@a.example/", "http://a b/", "http://a.example:port/", None, 7,
    ],
)  # fmt: skip
def test_a_callback_is_an_absolute_url(one: httpx.Client, callback: Any) -> None:
    error = error_of(one.post("/hub", json={"callback": callback}), 400)
    assert error["message"].startswith("/callback")
    assert "secret" not in error["message"]
    assert "^" not in error["message"]


@pytest.mark.parametrize(
    ("callback", "says"),
    [
        ("listener", "must be an absolute http or https URL of ASCII characters, without"),
        ("http://a.example:99999/", "must be an absolute"),
        ("http://a.example:65536/", "must be an absolute"),
        ("http://[::1/", "must be an absolute"),
        ("https://a.example/" + "a" * 2000, "must have at most 2000 characters"),
    ],
)
def test_what_is_wrong_with_a_callback_is_said_in_words(
    one: httpx.Client, callback: str, says: str
) -> None:
    error = error_of(one.post("/hub", json={"callback": callback}), 400)
    assert error["message"].startswith(f"/callback {says}")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "eventType=PartyInteractionCreatedEvent",
            "did you mean PartyInteractionCreateEvent? It has",
        ),
        (
            "eventType=partyInteractionCreateEvent",
            "did you mean PartyInteractionCreateEvent? It has",
        ),
        ("eventType=x", "it has PartyInteraction"),
        ("eventType=PartyInteractionCreateEvent,x", "it has PartyInteraction"),
        ("eventType%3Dx", "it has PartyInteraction"),
        ("eventType*=Created", "matches no event of this API; it has PartyInteraction"),
        ("filter=$[?(@.eventType=='x')]", "it has PartyInteraction"),
        ("eventTyp=PartyInteractionCreateEvent", "did you mean eventType?"),
        ("other=1", "; there are "),
        ("PartyInteractionCreateEvent", "has no value"),
        ("eventType", "has no value"),
        ("eventType=PartyInteractionCreateEvent&other", "has no value"),
        ("eventType.gt=Z", "excludes every event of this API; it has PartyInteraction"),
        (
            "eventType!=PartyInteractionCreateEvent&eventType=PartyInteractionCreateEvent",
            "excludes",
        ),
        ("filter=@.eventType=~'Create' && @.eventType=~'Delete'", "excludes"),
        ("event.partyInteraction.zzz=1", "; there are "),
        ("event.partyInteraction.reasn=1", "did you mean event.partyInteraction.reason?"),
        ("event.troubleTicket.id=1", "; there are partyInteraction"),
        ("filter=$[?(@.event.troubleTicket.id=='1')]", "; there are partyInteraction"),
    ],
)
def test_a_query_that_no_event_can_match_is_refused(
    one: httpx.Client, query: str, says: str
) -> None:
    message = error_of(one.post("/hub", json=listener(query=query)), 400)["message"]
    assert says in message


@pytest.mark.parametrize(
    "query",
    [
        "eventType!=x", "eventType*=Create", "?eventType=PartyInteractionCreateEvent&fields=x",
        "eventType=PartyInteractionCreateEvent,PartyInteractionDeleteEvent",
        "eventType%3DPartyInteractionCreateEvent",
        "eventType%3DPartyInteractionCreateEvent%26event.partyInteraction.reason%3Dx",
        "eventType%3DPartyInteractionCreateEvent&event.partyInteraction.reason%3Dx",
        "event.partyInteraction.relatedParty.id=7", "eventTime%3E%3D2026-01-01T00:00:00Z",
        "filter=$[?(@.event.partyInteraction.extension=='1')]",
        "filter=@.eventType=='PartyInteractionCreateEvent' && @.event.partyInteraction.status=='x'",
        "event.partyInteraction.reason=%C3%BC&", "event.partyInteraction.reason*=[a-z]+",
        "%3FeventType%3DPartyInteractionCreateEvent", "eventType='PartyInteractionCreateEvent'",
        "event.partyInteraction.relatedParty[].id=7", "event.partyInteraction.reason=\"a;b\"",
        "eventType.ne=PartyInteractionCreateEvent",
    ],
)  # fmt: skip
def test_a_query_that_an_event_can_match_is_accepted(one: httpx.Client, query: str) -> None:
    answer = one.post("/hub", json=listener(query=query))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("host", ["my_listener.example", "_tmf.example:8443", "listener_1"])
def test_a_host_name_may_have_underscores(one: httpx.Client, host: str) -> None:
    callback = f"https://{host}/{uuid.uuid4()}"
    answer = one.post("/hub", json={"callback": callback})
    assert answer.status_code == 201
    assert answer.json()["callback"] == callback


def test_an_address_that_is_refused_is_no_broken_request(one: httpx.Client) -> None:
    for callback in ("http://10.0.0.1/", "http://[94ca:2]/", "http://[1:2:3:4:5:6:7:8:9]/"):
        error = error_of(one.post("/hub", json={"callback": callback}), 403)
        assert error["code"] == "callbackRefused"


def test_a_listener_must_say_where_it_is(one: httpx.Client) -> None:
    assert error_of(one.post("/hub", json={}), 400)["message"] == "/callback is required"


def test_an_event_is_received_once(api: httpx.Client) -> None:
    event = {"eventId": str(uuid.uuid4()), "eventType": "PartyInteractionCreateEvent"}
    first = api.post("/listener/partyInteractionCreateEvent", json=event)
    again = api.post("/listener/partyInteractionCreateEvent", json=event)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


def test_an_event_is_an_object_of_any_shape(one: httpx.Client) -> None:
    """One that is refused would be lost; the contract served says so."""
    listener = "/listener/partyInteractionCreateEvent"
    assert one.post(listener, json={"eventTime": "yesterday"}).status_code == 201
    for content in ("[]", "1", "{", ""):
        answer = one.post(listener, content=content, headers={"Content-Type": "application/json"})
        error_of(answer, 400)
    error_of(one.post("/listener/somethingElseEvent", json={}), 404)
    body = one.get("/openapi.json").json()["paths"][listener]["post"]["requestBody"]
    ours, other = body["content"]["application/json"]["schema"]["anyOf"]
    assert ours["$ref"].endswith("/PartyInteractionCreateEvent")
    assert other["type"] == "object"
