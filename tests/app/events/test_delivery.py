"""Events from a real server to real listeners, well behaved and not."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.app.events.receiver import Answer, Got, Receiver, accept, receiving, status
from tests.commands import tmf683
from tests.conftest import OURS
from tests.http.conftest import MINIMAL, error_of
from tests.server import running_server

pytestmark = pytest.mark.slow

KEYS = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_dGhlIG9sZCBrZXksIHNvb24gdG8gYmUgcmVtb3ZlZA==",
]
SETTINGS = {
    "TMF_CALLBACK_ALLOW": "127.0.0.0/8",
    "TMF_DELIVERY_WAIT": "0.05",
    "TMF_DELIVERY_TIMEOUT": "0.7",
    "TMF_DELIVERY_ATTEMPTS": "4",
    "TMF_LEASE_SECONDS": "2",
    "TMF_WEBHOOK_KEYS": ",".join(KEYS),
    "TMF_DURABILITY": "normal",
}


@dataclass(frozen=True)
class Hub:
    """A server, the store behind it, and the subscriptions that were made."""

    client: httpx.Client
    store: str
    made: list[str] = field(default_factory=list)

    def register(self, callback: str, query: str = "") -> str:
        answer = self.client.post("/hub", json={"callback": callback, "query": query})
        assert answer.status_code == 201, answer.text
        self.made.append(str(answer.json()["id"]))
        return self.made[-1]

    def clear(self) -> None:
        while self.made:
            self.client.delete(f"/hub/{self.made.pop()}")

    def create(self, **attributes: Any) -> str:
        answer = self.client.post("/partyInteraction", json=MINIMAL | attributes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def patch(self, id: str, **attributes: Any) -> None:
        assert self.client.patch(f"/partyInteraction/{id}", json=attributes).status_code == 200

    def delete(self, id: str) -> None:
        assert self.client.delete(f"/partyInteraction/{id}").status_code == 204

    def events(self, *arguments: str) -> str:
        done = tmf683("events", *arguments, "--store", self.store)
        assert done.returncode == 0, done.stderr
        return done.stdout


def running_hub(store: str, **settings: str) -> Iterator[Hub]:
    with (
        running_server(OURS, store=store, env=SETTINGS | settings) as server,
        httpx.Client(base_url=server.base_url, trust_env=False, timeout=30) as client,
    ):
        yield Hub(client, store)


@pytest.fixture(scope="module", params=["sqlite", "mongo"])
def hub_on_a_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    store = f"sqlite:///{tmp_path_factory.mktemp('events')}/store.db"
    if request.param == "mongo":
        store = f"{request.getfixturevalue('mongo')}events{uuid.uuid4().hex[:8]}"
    yield from running_hub(store)


@pytest.fixture
def hub(hub_on_a_store: Hub) -> Iterator[Hub]:
    yield hub_on_a_store
    hub_on_a_store.clear()


@pytest.fixture(scope="module")
def local_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    yield from running_hub(f"sqlite:///{tmp_path_factory.mktemp('events')}/store.db")


@pytest.fixture
def local(local_hub: Hub) -> Iterator[Hub]:
    """A server on the embedded store, for what no store has a part in."""
    yield local_hub
    local_hub.clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def about(got: list[Got], id: str) -> list[str]:
    """Return the types of the events about a resource, without its name."""
    return [
        each.body["eventType"].removeprefix("PartyInteraction").removesuffix("Event")
        for each in got
        if is_about(each, id)
    ]


def is_about(got: Got, id: str) -> bool:
    return bool(got.body["event"]["partyInteraction"]["id"] == id)


def test_an_integer_beyond_64_bits_is_delivered_as_it_is(local: Hub, receiver: Receiver) -> None:
    local.register(receiver.url())
    id = local.create(counter=2**70)
    assert receiver.wait(lambda: about(receiver.got, id) == ["Create"])
    assert receiver.got[-1].body["event"]["partyInteraction"]["counter"] == 2**70


def test_every_change_is_told_once_and_in_order(hub: Hub, receiver: Receiver) -> None:
    hub.register(receiver.url())
    id = hub.create()
    hub.patch(id, description="a")
    hub.patch(id, status="closed", description="b", reason="c")
    hub.patch(id, description="b")  # changes nothing
    hub.delete(id)
    wanted = ["Create", "AttributeValueChange", "StatusChange", "AttributeValueChange", "Delete"]
    last = hub.create()
    assert receiver.wait(lambda: about(receiver.got, last) == ["Create"])
    assert receiver.wait(lambda: len(about(receiver.got, id)) >= len(wanted))
    assert about(receiver.got, id) == wanted
    paths = [each.body.get("fieldPath") for each in receiver.got if is_about(each, id)]
    assert paths == [None, "description", None, "description,reason", None]


def test_a_query_chooses_events_by_type_and_content(hub: Hub, receiver: Receiver) -> None:
    mark = uuid.uuid4().hex
    kind = "PartyInteractionCreateEvent,PartyInteractionDeleteEvent"
    hub.register(receiver.url("/some"), f"eventType={kind}&event.partyInteraction.reason={mark}")
    hub.register(receiver.url("/none"), "eventType=PartyInteractionStatusChangeEvent")
    hub.register(receiver.url("/part"), f"event.partyInteraction.reason={mark}&fields=eventType")
    id = hub.create(reason=mark)
    other = hub.create(reason="another")
    hub.patch(id, description="x")
    hub.delete(id)
    last = hub.create(reason=mark)
    hub.patch(last, status="closed")  # the last event for each of the three
    assert receiver.wait(lambda: len(receiver.of("/some")) >= 3 and len(receiver.of("/part")) >= 5)
    assert receiver.wait(lambda: bool(receiver.of("/none")))
    assert about(receiver.of("/some"), id) == ["Create", "Delete"]
    assert about(receiver.of("/some"), other) == []
    assert about(receiver.of("/none"), last) == ["StatusChange"]
    assert len(receiver.of("/none")) == 1
    assert {frozenset(each.body) for each in receiver.of("/part")} == {
        frozenset({"eventId", "eventType"})
    }


def test_a_query_can_be_a_jsonpath(local: Hub, receiver: Receiver) -> None:
    mark = uuid.uuid4().hex
    local.register(
        receiver.url(), f"filter=$[?(@.event.partyInteraction.reason=='{mark}')]&eventType*=Create"
    )
    local.create(reason="another")
    id = local.create(reason=mark)
    local.patch(id, description="x")
    local.create(reason=mark)
    assert receiver.wait(lambda: len(receiver.got) >= 2)  # the last is the last event of all
    reasons = [each.body["event"]["partyInteraction"]["reason"] for each in receiver.got]
    assert reasons == [mark, mark]


@pytest.mark.parametrize(
    "query",
    [
        "a..b=1", "reason*=(", "a.b.c.d.e.f.g.h.i.j.k=1", "filter=$[?(@.", "filter=", "limit=5",
        "eventType=x&sort=y", "offset=-1",
    ],
)  # fmt: skip
def test_a_query_without_meaning_is_refused(local: Hub, query: str) -> None:
    body = {"callback": "http://127.0.0.1:9/", "query": query}
    error_of(local.client.post("/hub", json=body), 400)


def test_a_private_callback_is_refused_at_registration(local: Hub) -> None:
    for url in ("http://10.0.0.1/", "http://169.254.169.254/", "http://[::1]/"):
        error = error_of(local.client.post("/hub", json={"callback": url}), 403)
        assert error["message"].startswith("/callback leads to")


def test_who_unregisters_hears_no_more(hub: Hub, receiver: Receiver) -> None:
    id = hub.register(receiver.url())
    hub.create()
    assert receiver.wait(lambda: len(receiver.got) == 1)
    assert hub.client.delete(f"/hub/{id}").status_code == 204
    hub.register(receiver.url("/witness"))
    hub.create()
    assert receiver.wait(lambda: bool(receiver.of("/witness")))
    assert len(receiver.of("/events")) == 1


def test_who_registers_again_hears_only_what_comes_then(local: Hub, receiver: Receiver) -> None:
    id = local.register(receiver.url())
    local.client.delete(f"/hub/{id}")
    missed = local.create()
    assert local.register(receiver.url()) == id
    heard = local.create()
    assert receiver.wait(lambda: bool(about(receiver.got, heard)))
    assert about(receiver.got, missed) == []
    assert about(receiver.got, heard) == ["Create"]


def test_an_event_is_signed_with_every_key(local: Hub, receiver: Receiver) -> None:
    local.register(receiver.url())
    local.create(reason="naïve ✓")
    assert receiver.wait(lambda: bool(receiver.got))
    got = receiver.got[0]
    for key in KEYS:
        assert Webhook(key).verify(got.raw, got.headers) == got.body
    assert got.headers["webhook-id"] == got.body["eventId"]
    assert got.headers["content-type"] == "application/json"


def test_what_failed_comes_again_under_the_same_id_and_in_order(
    hub: Hub, receiver: Receiver
) -> None:
    refusals = itertools.count()

    async def answer(writer: asyncio.StreamWriter, got: Got) -> None:
        sound = next(refusals) >= 2
        await (accept if sound else status("500 Internal Server Error"))(writer, got)

    receiver.answer = answer
    hub.register(receiver.url())
    id = hub.create()
    hub.patch(id, description="a")
    hub.delete(id)
    assert receiver.wait(lambda: about(receiver.got, id)[-1:] == ["Delete"])
    types = about(receiver.got, id)
    assert types[:3] == ["Create", "Create", "Create"]
    assert [name for name, _ in itertools.groupby(types)] == [
        "Create",
        "AttributeValueChange",
        "Delete",
    ]
    assert len({each.headers["webhook-id"] for each in receiver.got[:3]}) == 1


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Hub]:
    """A server that does not give a listener up while a test keeps it away."""
    yield from running_hub(f"sqlite:///{tmp_path}/store.db", TMF_DELIVERY_ATTEMPTS="8")


def test_a_listener_that_is_away_gets_everything_when_it_is_back(patient: Hub) -> None:
    with receiving() as first:
        port = first.port
        patient.register(first.url())
        patient.create()
        assert first.wait(lambda: len(first.got) == 1)
    ids = [patient.create() for _ in range(5)]
    time.sleep(0.5)
    with receiving(port) as second:
        assert second.wait(lambda: len({each.body["eventId"] for each in second.got}) == 5, 60)
        assert {each.body["event"]["partyInteraction"]["id"] for each in second.got} == set(ids)


def test_a_listener_is_left_alone_for_as_long_as_it_asks(local: Hub, receiver: Receiver) -> None:
    busy = status("429 Too Many Requests", "Retry-After: 2\r\n")
    first = itertools.count()

    async def answer(writer: asyncio.StreamWriter, got: Got) -> None:
        await (accept if next(first) else busy)(writer, got)

    receiver.answer = answer
    local.register(receiver.url())
    local.create()
    assert receiver.wait(lambda: len(receiver.got) >= 2)
    assert receiver.got[1].at - receiver.got[0].at >= 1.9


def test_a_listener_that_is_gone_is_suspended_until_an_operator_resumes_it(
    local: Hub, receiver: Receiver
) -> None:
    receiver.answer = status("410 Gone")
    id = local.register(receiver.url())
    local.create()
    assert receiver.wait(lambda: bool(receiver.got))
    assert receiver.wait(lambda: "suspended: the listener answered 410" in local.events("list"), 10)
    heard = len(receiver.got)
    with receiving() as witness:
        local.register(witness.url())
        local.create()
        assert witness.wait(lambda: bool(witness.got))
    assert len(receiver.got) == heard
    receiver.answer = accept
    cursor = next(line.split()[0] for line in local.events("list").splitlines() if id in line)
    assert local.events("retry", "--subscription", cursor) == "1 deliveries are tried again\n"
    assert receiver.wait(lambda: len(receiver.got) == heard + 2)


def test_a_listener_that_only_fails_is_suspended(local: Hub, receiver: Receiver) -> None:
    receiver.answer = status("500 Internal Server Error")
    id = local.register(receiver.url())
    for _ in range(6):
        local.create()
    shown = f"{id}"
    assert receiver.wait(
        lambda: any(
            shown in line and "suspended: nothing was delivered in 4 rounds" in line
            for line in local.events("list").splitlines()
        ),
        30,
    )


def test_an_event_that_always_fails_is_parked_and_holds_up_its_resource_alone(
    local: Hub, receiver: Receiver
) -> None:
    mark = uuid.uuid4().hex
    healed = False

    async def answer(writer: asyncio.StreamWriter, got: Got) -> None:
        poison = got.body["eventType"].endswith("ValueChangeEvent") and mark in got.raw.decode()
        refused = poison and not healed
        await (status("400 Bad Request") if refused else accept)(writer, got)

    receiver.answer = answer
    local.register(receiver.url())
    bad = local.create()
    local.patch(bad, reason=mark)
    others = [local.create() for _ in range(20)]
    assert receiver.wait(lambda: all(about(receiver.got, each) for each in others), 10)
    local.delete(bad)
    assert receiver.wait(lambda: "Delete" in about(receiver.got, bad), 30)
    types = about(receiver.got, bad)
    assert types == ["Create", *["AttributeValueChange"] * 4, "Delete"]
    (line,) = (line for line in local.events("list").splitlines() if bad in line)
    assert "parked" in line
    assert "4 attempts, the listener answered 400" in line
    delivery = line.split()[0]
    assert mark in local.events("show", delivery)
    healed = True
    assert local.events("retry", delivery) == "1 deliveries are tried again\n"
    assert receiver.wait(lambda: about(receiver.got, bad)[-1] == "AttributeValueChange", 10)
    assert receiver.wait(lambda: bad not in local.events("list"), 10)


def test_a_parked_delivery_can_be_forgotten(local: Hub, receiver: Receiver) -> None:
    async def answer(writer: asyncio.StreamWriter, got: Got) -> None:
        created = got.body["eventType"].endswith("CreateEvent")
        await (status("422 No") if created else accept)(writer, got)

    receiver.answer = answer
    local.register(receiver.url())
    id = local.create()
    for each in "ab":
        local.patch(id, description=each)
    assert receiver.wait(lambda: len(about(receiver.got, id)) >= 6, 30)
    assert receiver.wait(lambda: f"{id}" in local.events("list"), 5)
    assert "forgotten" in local.events("purge", "--parked")
    assert id not in local.events("list")


async def hang(writer: asyncio.StreamWriter, got: Got) -> None:
    await asyncio.sleep(3)


async def close_early(writer: asyncio.StreamWriter, got: Got) -> None:
    writer.close()


async def send_a_gigabyte(writer: asyncio.StreamWriter, got: Got) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        writer.write(bytes(1024 * 1024))
        await writer.drain()


async def drip(writer: asyncio.StreamWriter, got: Got) -> None:
    for each in b"HTTP/1.1 200 OK\r\n":
        writer.write(bytes([each]))
        await writer.drain()
        await asyncio.sleep(0.2)


BAD: dict[str, Answer] = {
    "500": status("500 Internal Server Error"),
    "hangs": hang,
    "redirects": status("307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n"),
    "closes early": close_early,
    "sends a gigabyte": send_a_gigabyte,
    "drips": drip,
    "is no HTTP": lambda writer, got: _write(writer, b"\0\1\2 what?\r\n\r\n"),
}


async def _write(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(content)


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_listener_does_not_delay_another(local: Hub, receiver: Receiver, bad: str) -> None:
    with receiving() as other:
        other.answer = BAD[bad]
        local.register(receiver.url())
        local.register(other.url())
        delays = []
        for _ in range(15):
            sent = time.time()
            id = local.create()
            assert receiver.wait(lambda id=id: bool(about(receiver.got, id)), 5)  # type: ignore[misc]
            delays.append(receiver.got[-1].at - sent)
        assert other.wait(lambda: bool(other.got), 5)
        assert sorted(delays)[len(delays) // 2] < 0.5
        assert max(delays) < 2.0


def test_a_duplicate_can_be_answered_with_what_is_there(tmp_path: Path) -> None:
    settings = SETTINGS | {"TMF_HUB_DUPLICATE": "return"}
    with running_server(OURS, store=f"sqlite:///{tmp_path}/s.db", env=settings) as server:
        body = {"callback": "http://127.0.0.1:9/", "query": "eventType=PartyInteractionCreateEvent"}
        first, second = (
            httpx.post(f"{server.base_url}/hub", json=body, trust_env=False) for _ in range(2)
        )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]


def test_a_correlation_comes_from_the_request(local: Hub, receiver: Receiver) -> None:
    local.register(receiver.url())
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    for headers in (
        {"X-Correlation-ID": "call 17"},
        {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
        {"X-Request-ID": "r-18"},
    ):
        answer = local.client.post("/partyInteraction", json=MINIMAL, headers=headers)
        assert answer.status_code == 201
    assert receiver.wait(lambda: len(receiver.got) == 3)
    correlated = [each.body.get("correlationId") for each in receiver.got]
    assert sorted(map(str, correlated)) == sorted(["call 17", trace, "r-18"])
