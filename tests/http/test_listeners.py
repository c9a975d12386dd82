"""What the events of other systems change here: copies that follow, contacts that come about."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import OURS, official_specs
from tests.http.conftest import error_of
from tests.server import Server, clean_environment, eventually, running_server

TICKETS = "TMF621-TroubleTicket-v4.0.0.swagger.json"
MESSAGES = "TMF681-Communication-v4.0.0.swagger.json"
TIMES = itertools.count(10)


def sources() -> str:
    return ":".join(str(official_specs() / name) for name in (TICKETS, MESSAGES))


@pytest.fixture(scope="module", params=["sqlite", "mongo"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "mongo":
        return f"{request.getfixturevalue('mongo')}listening{uuid.uuid4().hex[:8]}"
    return f"sqlite:///{tmp_path_factory.mktemp('listening')}/store.db"


@pytest.fixture(scope="module")
def server(store: str) -> Iterator[Server]:
    env = {
        "TMF_VALIDATE_RESPONSES": "true",
        "TMF_LISTENER": "apply",
        "TMF_SOURCES": sources(),
        "TMF_DURABILITY": "normal",
    }
    with running_server(OURS, store=store, env=env) as running:
        yield running


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, trust_env=False, timeout=30) as client:
        yield client


def tell(server: Server, event: str, payload: dict[str, Any], at: int, **more: Any) -> None:
    """Send an event to its listener; `at` is its time in seconds."""
    resource = event.partition("Create")[0]
    for suffix in ("AttributeValueChange", "StatusChange", "StateChange", "Delete"):
        resource = resource.partition(suffix)[0]
    bases = {
        "partyInteraction": "partyInteraction/v4",
        "troubleTicket": "troubleTicket/v4",
        "communicationMessage": "communicationManagement/v4",
    }
    body = {
        "eventId": str(uuid.uuid4()),
        "eventTime": f"2026-11-23T12:00:{at:02}Z",
        "eventType": event[:1].upper() + event[1:],
        "event": {resource: payload},
        **more,
    }
    url = f"{server.url}/tmf-api/{bases[resource]}/listener/{event}"
    answer = httpx.post(url, json=body, trust_env=False)
    assert answer.status_code == 201, answer.text


def interaction(id: str, **attributes: Any) -> dict[str, Any]:
    return {"id": id, "reason": "r", "direction": "inbound", "status": "opened"} | attributes


@pytest.fixture
def id() -> str:
    return uuid.uuid4().hex


def test_a_copy_follows_the_events_of_its_original(
    server: Server, api: httpx.Client, id: str
) -> None:
    tell(server, "partyInteractionCreateEvent", interaction(id, note=[{"text": "a"}]), 1)
    assert api.get(f"/partyInteraction/{id}").json()["note"] == [{"text": "a"}]
    change = {"id": id, "description": "d"}
    tell(server, "partyInteractionAttributeValueChangeEvent", change, 2)
    tell(server, "partyInteractionStatusChangeEvent", {"id": id, "status": "closed"}, 3)
    copy = api.get(f"/partyInteraction/{id}").json()
    assert (copy["description"], copy["status"], copy["reason"]) == ("d", "closed", "r")
    assert copy["href"].endswith(f"/partyInteraction/{id}")
    tell(server, "partyInteractionDeleteEvent", {"id": id}, 4)
    error_of(api.get(f"/partyInteraction/{id}"), 404)


def test_a_copy_loses_what_its_original_lost(server: Server, api: httpx.Client, id: str) -> None:
    before = interaction(id, description="d", note=[{"text": "a"}], interactionDate={
        "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2026-01-02T00:00:00Z",
    })  # fmt: skip
    tell(server, "partyInteractionCreateEvent", before, 1)
    after = interaction(id, interactionDate={"startDateTime": "2026-01-01T00:00:00Z"})
    path = "description, interactionDate"
    tell(server, "partyInteractionAttributeValueChangeEvent", after, 2, fieldPath=path)
    copy = api.get(f"/partyInteraction/{id}").json()
    assert "description" not in copy
    assert copy["interactionDate"] == after["interactionDate"]
    assert copy["note"] == [{"text": "a"}]  # of which the event does not say that it changed


def test_nothing_older_comes_over_anything_newer(
    server: Server, api: httpx.Client, id: str
) -> None:
    tell(server, "partyInteractionCreateEvent", interaction(id), 1)
    tell(server, "partyInteractionStatusChangeEvent", {"id": id, "status": "new"}, 5)
    tell(server, "partyInteractionStatusChangeEvent", {"id": id, "status": "old"}, 3)
    tell(server, "partyInteractionCreateEvent", interaction(id), 1)
    assert api.get(f"/partyInteraction/{id}").json()["status"] == "new"
    tell(server, "partyInteractionDeleteEvent", {"id": id}, 9)
    tell(server, "partyInteractionCreateEvent", interaction(id), 1)
    tell(server, "partyInteractionStatusChangeEvent", {"id": id, "status": "late"}, 8)
    error_of(api.get(f"/partyInteraction/{id}"), 404)


def test_events_side_by_side_end_as_the_newest_says(
    server: Server, api: httpx.Client, id: str
) -> None:
    changes = [interaction(id, status=str(each)) for each in range(20)]
    threads = [
        threading.Thread(
            target=tell, args=(server, "partyInteractionStatusChangeEvent", change, 20 + number)
        )
        for number, change in enumerate(changes)
    ]
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join()
    assert api.get(f"/partyInteraction/{id}").json()["status"] == "19"


def test_an_event_about_nothing_is_kept_and_changes_nothing(
    server: Server, api: httpx.Client
) -> None:
    before = api.get("/partyInteraction?limit=0").headers["x-total-count"]
    for payload in ({}, {"reason": "no id"}, {"id": "a/b"}):
        tell(server, "partyInteractionCreateEvent", payload, 1)
    assert api.get("/partyInteraction?limit=0").headers["x-total-count"] == before


def ticket(id: str, **attributes: Any) -> dict[str, Any]:
    return {
        "id": id,
        "href": f"https://tickets.example.com/troubleTicket/{id}",
        "name": "No dial tone",
        "description": "Dead since this morning",
        "ticketType": "fault",
        "severity": "high",
        "status": "acknowledged",
        "creationDate": "2026-11-23T11:00:00Z",
        "channel": {"id": "hotline", "name": "Hotline"},
        "relatedParty": [
            {"id": "42", "href": "/party/42", "role": "customer", "@referredType": "Individual"}
        ],
    } | attributes


def test_a_ticket_becomes_an_interaction(server: Server, api: httpx.Client, id: str) -> None:
    tell(server, "troubleTicketCreateEvent", ticket(id), 1)
    found = api.get(f"/partyInteraction/ticket-{id}").json()
    assert (found["reason"], found["direction"]) == ("No dial tone", "inbound")
    assert found["status"] == "opened"
    assert found["description"] == "Dead since this morning"
    assert found["creationDate"] == "2026-11-23T11:00:00Z"
    assert found["interactionDate"] == {"startDateTime": "2026-11-23T11:00:00Z"}
    assert found["channel"] == [{"id": "hotline", "name": "Hotline", "href": "/channel/hotline"}]
    assert found["relatedParty"] == ticket(id)["relatedParty"]
    (item,) = found["interactionItem"]
    assert item["item"]["id"] == id
    assert item["item"]["@referredType"] == "TroubleTicket"
    listed = api.get(f"/partyInteraction?interactionItem.item.id={id}").json()
    assert [each["id"] for each in listed] == [f"ticket-{id}"]


def test_a_ticket_stays_one_interaction_however_often_it_is_told(
    server: Server, api: httpx.Client, id: str
) -> None:
    for _ in range(3):
        tell(server, "troubleTicketCreateEvent", ticket(id), 1)
    changed = ticket(id, status="inProgress")
    tell(server, "troubleTicketStatusChangeEvent", changed, 2)
    closed = {"id": id, "status": "closed", "resolutionDate": "2026-11-23T15:00:00Z"}
    tell(server, "troubleTicketStatusChangeEvent", closed, 4)
    tell(server, "troubleTicketStatusChangeEvent", changed, 3)
    listed = api.get(f"/partyInteraction?interactionItem.item.id={id}").json()
    assert len(listed) == 1
    assert listed[0]["status"] == "completed"
    assert listed[0]["reason"] == "No dial tone"
    assert listed[0]["interactionDate"] == {
        "startDateTime": "2026-11-23T11:00:00Z",
        "endDateTime": "2026-11-23T15:00:00Z",
    }


def test_a_message_becomes_an_interaction(server: Server, api: httpx.Client, id: str) -> None:
    message = {
        "id": id,
        "subject": "Your bill",
        "content": "…",
        "messageType": "email",
        "state": "inProgress",
        "sendTime": "2026-11-23T10:00:00Z",
        "sender": {"name": "Billing"},
        "receiver": [
            {
                "name": "Ann Lee",
                "party": {"id": "42", "href": "/party/42", "@referredType": "Individual"},
            }
        ],
    }
    tell(server, "communicationMessageCreateEvent", message, 1)
    found = api.get(f"/partyInteraction/message-{id}").json()
    assert (found["direction"], found["reason"]) == ("outbound", "Your bill")
    assert found["channel"] == [{"id": "email", "href": "/channel/email", "name": "email"}]
    assert found["relatedParty"][0]["id"] == "42"
    assert found["relatedParty"][0]["name"] == "Ann Lee"
    tell(server, "communicationMessageStateChangeEvent", {"id": id, "state": "completed"}, 2)
    assert api.get(f"/partyInteraction/message-{id}").json()["status"] == "completed"


def test_a_receiver_without_a_party_is_found_by_its_own_id(
    server: Server, api: httpx.Client, id: str
) -> None:
    """And a sender that has no id at all is left out."""
    message = {
        "id": id, "subject": "Your bill", "messageType": "email", "state": "inProgress",
        "sendTime": "2026-11-23T10:00:00Z", "sender": {"name": "Billing"},
        "receiver": [{"id": "43", "name": "Ann Lee"}],
    }  # fmt: skip
    tell(server, "communicationMessageCreateEvent", message, 1)
    parties = api.get(f"/partyInteraction/message-{id}").json()["relatedParty"]
    assert [(each["id"], each["role"]) for each in parties] == [("43", "receiver")]


def test_an_event_from_the_future_counts_as_now(server: Server, api: httpx.Client, id: str) -> None:
    """Else its copy would never change again."""
    tell(
        server, "partyInteractionCreateEvent", interaction(id), 1, eventTime="2999-01-01T00:00:00Z"
    )
    now = datetime.now(UTC) + timedelta(seconds=1)
    change = {"id": id, "status": "closed"}
    tell(server, "partyInteractionStatusChangeEvent", change, 2, eventTime=now.isoformat())
    assert api.get(f"/partyInteraction/{id}").json()["status"] == "closed"


def test_what_sources_told_is_shown_the_newest_first(server: Server, store: str, id: str) -> None:
    tell(server, "partyInteractionCreateEvent", interaction(id), 1)
    tell(server, "troubleTicketCreateEvent", ticket(id), 1)
    command = [str(Path(sys.executable).with_name("tmf683")), "events", "received", "--json"]
    done = subprocess.run(
        [*command, "--limit", "2", "--store", store, "--spec", str(OURS)],
        env=clean_environment({"TMF_SOURCES": sources()}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["listener"] for each in told] == [
        "troubleTicketCreateEvent",
        "partyInteractionCreateEvent",
    ]
    assert told[0]["event"]["event"]["troubleTicket"]["id"] == id


def test_a_source_offers_its_listeners_and_nothing_else(server: Server) -> None:
    base = f"{server.url}/tmf-api/troubleTicket/v4"
    error_of(httpx.get(f"{base}/troubleTicket", trust_env=False), 404)
    answer = httpx.post(f"{base}/listener/troubleTicketCreateEvent", json=["no", "event"])
    assert error_of(answer, 400)["message"] == "/ must be of type object"


def test_an_event_is_accepted_in_the_form_that_other_systems_give_it(
    server: Server, api: httpx.Client, id: str
) -> None:
    """Nulls, references without href, offsets and numbers in place of date-times, a BOM."""
    payload = interaction(
        id,
        description=None,
        creationDate="2026-11-23T12:00:00+0100",
        interactionDate={"startDateTime": 1795431600000, "endDateTime": "2026-11-24 11:00:00"},
        relatedChannel=None,
        relatedParty=[{"id": 42, "role": "customer", "name": None}, None],
        attachment=[{"id": "a1", "@referredType": "Document"}],
        note=[
            {"text": "a", "date": "2026-11-23T12:00:00+00"},
            {"text": "b", "date": "2026-11-23t12:00:00z"},
            {"text": "c", "date": "2016-12-31T23:59:60Z"},
        ],
    )
    event = {"eventId": id, "eventTime": "2026-11-23T13:00:00+0100", "priority": None,
             "event": {"PartyInteraction": payload}}  # fmt: skip
    content = b"\xef\xbb\xbf" + json.dumps(event).encode()
    url = f"{server.base_url}/listener/partyInteractionCreateEvent"
    kind = {"Content-Type": "application/json"}
    answer = httpx.post(url, content=content, headers=kind, trust_env=False)
    assert answer.status_code == 201, answer.text
    found = api.get(f"/partyInteraction/{id}").json()
    assert found["creationDate"] == "2026-11-23T12:00:00+01:00"
    assert found["interactionDate"] == {
        "startDateTime": "2026-11-23T11:00:00Z", "endDateTime": "2026-11-24T11:00:00Z",
    }  # fmt: skip
    (party,) = found["relatedParty"]
    assert (party["id"], party["role"]) == ("42", "customer")
    assert [note["date"] for note in found["note"]] == [
        "2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z", "2017-01-01T00:00:00Z",
    ]  # fmt: skip
    for date in ("2026-11-23t12:00:00z", "2016-12-31T23:59:60Z", "2017-01-01"):
        query = {"id": id, "note.date": date}
        assert len(api.get("/partyInteraction", params=query).json()) == 1, date
    assert "description" not in found
    kept = httpx.get(f"{server.url}/admin/received/{answer.json()['id']}", trust_env=False).json()
    assert (kept["outcome"], kept["event"]) == ("applied", event)


def test_an_event_that_cannot_be_applied_is_kept_with_the_reason(
    server: Server, store: str, id: str
) -> None:
    url = f"{server.base_url}/listener/partyInteractionCreateEvent"
    reasons = {}
    for number, told in enumerate(
        ({}, {"event": None}, {"event": {"partyInteraction": []}}, {"event": {"other": {}}},
         {"event": {"partyInteraction": {"id": "a/b"}}})
    ):  # fmt: skip
        event = {"eventId": f"{id}-{number}", "eventTime": "x", **told}
        answer = httpx.post(url, json=event, trust_env=False)
        assert answer.status_code == 201, answer.text
        reasons[event["eventId"]] = answer.json()["id"]
    command = [str(Path(sys.executable).with_name("tmf683")), "events", "received", "--failed"]
    for where in (["--store", store, "--spec", str(OURS)], ["--url", server.url]):
        done = subprocess.run(
            [*command, *where], env=clean_environment(), capture_output=True, text=True, check=True
        )
        lines = [line for line in done.stdout.splitlines() if id in line]
        assert len(lines) == 5
        assert all("  failed: /event" in line for line in lines)
        assert "failed: /event/partyInteraction/id cannot be the id of a resource" in lines[0]


def test_an_event_that_came_twice_is_applied_when_it_can_be(
    server: Server, api: httpx.Client, id: str
) -> None:
    """The first time it could not be applied; its sender has repeated it in another form."""
    url = f"{server.base_url}/listener/partyInteractionCreateEvent"
    for payload in ({}, interaction(id)):
        event = {"eventId": id, "event": {"partyInteraction": payload}}
        answer = httpx.post(url, json=event, trust_env=False)
    kept = httpx.get(f"{server.url}/admin/received/{answer.json()['id']}", trust_env=False).json()
    assert kept["outcome"] == "applied"
    assert api.get(f"/partyInteraction/{id}").json()["reason"] == "r"


@pytest.mark.slow
def test_two_systems_are_joined_by_a_subscription(tmp_path: Path) -> None:
    """A ticket of one server becomes an interaction of another, and follows it."""
    allowed = {"TMF_CALLBACK_ALLOW": "127.0.0.0/8", "TMF_DURABILITY": "normal"}
    ours = {"TMF_SOURCES": sources(), "TMF_DURABILITY": "normal"}
    spec = official_specs() / TICKETS
    with running_server(spec, env=allowed) as tickets, running_server(OURS, env=ours) as contacts:
        command = [str(Path(sys.executable).with_name("tmf683")), "sources", "subscribe"]
        command += [str(spec), "--hub", tickets.base_url, "--listener", contacts.url, "--once"]
        for _ in range(2):  # a second time, everything is there
            done = subprocess.run(
                command, env=clean_environment(), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        body = {"name": "No tone", "description": "d", "severity": "1", "ticketType": "fault"}
        created = httpx.post(f"{tickets.base_url}/troubleTicket", json=body, trust_env=False)
        url = f"{contacts.base_url}/partyInteraction/ticket-{created.json()['id']}"

        def status() -> str:
            answer = httpx.get(url, trust_env=False)
            return str(answer.json().get("status")) if answer.status_code == 200 else "none"

        assert eventually(lambda: status() == "opened"), status()
        change = {"status": "resolved"}
        httpx.patch(created.headers["location"], json=change, trust_env=False)
        assert eventually(lambda: status() == "completed"), status()
