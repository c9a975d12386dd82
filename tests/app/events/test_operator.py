"""What operators see of events and do about them: on a store, and by the operator API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_contracts, open_operations, open_received
from app.commands.events import events
from app.commands.operator_client import OperatorApiError, OperatorClient
from app.events.operator.deliveries import list_deliveries, purge_deliveries
from app.events.operator.errors import OperationConflict
from app.events.operator.operations import EventOperations, Operations
from app.events.operator.received import list_received
from app.events.outbound.delivery_cursors import DeliveryCursors, read_cursor
from app.events.outbound.failed_deliveries import FailedDelivery, put_failed
from app.events.outbound.last_attempts import LastAttempts, store_last_attempts
from app.settings import Settings
from storage import DocumentNotFound, Page, Query, Store, Window, json, open_store
from tests.app.events.receiver import receiving, status
from tests.app.events.test_worker import change
from tests.conftest import OURS

BASE = "/tmf-api/partyInteraction/v4"
ALL = Window(0, 100)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("operator")
    return Settings(
        store=f"sqlite:///{folder}/store.db",
        spec=(OURS,),
        delivery="off",
        durability="normal",
        listener="apply",
        callback_allow=("127.0.0.1",),
        access_log=False,
    )


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def store(client: TestClient, settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.store)
    yield opened
    opened.close()


@pytest.fixture(params=["store", "api"])
def operations(
    request: pytest.FixtureRequest, settings: Settings, client: TestClient, store: Store
) -> Iterator[Operations]:
    if request.param == "api":
        yield OperatorClient("", {}, client)
        return
    received = open_received(settings, open_contracts(settings), (), store)
    yield open_operations(settings, store, list(received.values()))


@pytest.fixture
def registered(client: TestClient) -> Iterator[str]:
    """The id of a subscription as operators see it."""
    answer = client.post(f"{BASE}/hub", json={"callback": "http://127.0.0.1:9/x"})
    assert answer.status_code == 201, answer.text
    yield f"partyInteraction:v4:hub:{answer.json()['id']}"
    client.delete(f"{BASE}/hub/{answer.json()['id']}")


def cursor_of(store: Store, id: str) -> Any:
    return read_cursor(store, id.replace(":", "/"))


def park(store: Store, subscription: str, event: str, **more: Any) -> str:
    """Store a failed delivery; return its id as operators see it."""
    cursor = subscription.replace(":", "/")
    told: dict[str, Any] = {"state": "parked", "attempts": 8, "error": "it answered 400"} | more
    failed = FailedDelivery(
        f"{cursor}/{event}", cursor, 1, "partyInteraction/1", event, "T", {"n": event}, **told
    )
    put_failed(store, failed)
    return f"{subscription}:{event}"


def test_a_subscription_is_paused_and_resumed(
    operations: Operations, store: Store, registered: str
) -> None:
    assert operations.subscription(registered)["state"] == "active"
    paused = operations.pause(registered)
    assert (paused["state"], paused["reason"]) == ("paused", "paused by an operator")
    assert operations.pause(registered)["state"] == "paused"
    worker = DeliveryCursors(store, "worker", 10.0)
    assert worker.take(registered.replace(":", "/")) is None
    assert operations.resume(registered)["state"] == "active"
    assert worker.take(registered.replace(":", "/")) is not None


def test_a_worker_loses_the_subscription_that_is_paused(
    operations: Operations, store: Store, registered: str
) -> None:
    worker = DeliveryCursors(store, "worker", 10.0)
    taken = worker.take(registered.replace(":", "/"))
    assert taken is not None
    operations.pause(registered)
    from app.events.outbound.delivery_cursors import CursorLost

    with pytest.raises(CursorLost):
        worker.keep(*taken)
    assert operations.subscription(registered)["state"] == "paused"
    operations.resume(registered)


def test_a_suspended_or_resting_subscription_goes_on(
    operations: Operations, store: Store, registered: str
) -> None:
    cursor = registered.replace(":", "/")
    change(store, cursor, suspended="it answered 410")
    store_last_attempts(store, cursor, LastAttempts(failed_at=1e9, error="it answered 410"))
    shown = operations.subscription(registered)
    assert (shown["state"], shown["reason"]) == ("suspended", "it answered 410")
    assert shown["lastFailure"] == "2001-09-09T01:46:40Z"
    assert shown["lastError"] == "it answered 410"
    assert operations.resume(registered)["state"] == "active"
    change(store, cursor, rest_until=time.time() + 1000, failures=3)
    assert operations.subscription(registered)["state"] == "resting"
    assert operations.resume(registered)["state"] == "active"
    assert cursor_of(store, registered).failures == 0


def test_parked_deliveries_are_shown_retried_and_purged(
    operations: Operations, store: Store, registered: str
) -> None:
    first, second = (park(store, registered, each) for each in ("e1", "e2"))
    assert operations.subscription(registered)["parked"] == 2
    listed = operations.deliveries(ALL, subscription=registered, state="parked")
    assert ([each["id"] for each in listed.items], listed.total) == ([first, second], 2)
    assert "payload" not in listed.items[0]
    shown = operations.delivery(first)
    assert (shown["payload"], shown["attempts"]) == ({"n": "e1"}, 8)
    retried = operations.retry(first)
    assert (retried["state"], retried["attempts"]) == ("waiting", 0)
    assert 0 < cursor_of(store, registered).retry_at <= time.time()
    assert operations.purge_all(registered) == 1
    operations.purge(first)
    assert operations.deliveries(ALL, subscription=registered).total == 0
    with pytest.raises(DocumentNotFound):
        operations.purge(first)


def test_a_retry_does_not_end_a_pause(
    operations: Operations, store: Store, registered: str
) -> None:
    park(store, registered, "e1")
    operations.pause(registered)
    assert operations.retry_all(registered) == 1
    shown = operations.subscription(registered)
    assert (shown["state"], shown["waiting"], shown["parked"]) == ("paused", 1, 0)
    operations.resume(registered)


def test_a_purged_delivery_that_waits_is_taken_from_its_worker(
    operations: Operations, store: Store, registered: str
) -> None:
    id = park(store, registered, "e1", state="waiting")
    worker = DeliveryCursors(store, "worker", 10.0)
    assert worker.take(registered.replace(":", "/")) is not None
    operations.purge(id)
    assert cursor_of(store, registered).holder == ""


def test_lists_are_paged(operations: Operations, store: Store, registered: str) -> None:
    ids = [park(store, registered, f"e{number}") for number in range(5)]
    pages = [
        operations.deliveries(Window(offset, 2), subscription=registered) for offset in (0, 2, 4)
    ]
    assert [each["id"] for page in pages for each in page.items] == ids
    assert {page.total for page in pages} == {5}
    assert operations.purge_all() == 5


def test_lists_have_few_documents_in_memory_at_once(
    settings: Settings,
    client: TestClient,
    store: Store,
    registered: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each may have a megabyte."""
    monkeypatch.setattr("app.events.operator.deliveries.MOST_AT_ONCE", 3)
    monkeypatch.setattr("app.events.operator.received.MOST_AT_ONCE", 3)
    kept = open_received(settings, open_contracts(settings), (), store).values()
    told = [send(client, {"eventId": f"few{number}", "event": {}}) for number in range(8)]
    ids = [park(store, registered, f"f{number}") for number in range(8)]
    limits: list[int] = []
    find = store.find

    def noting(collection: str, query: Query) -> Page:
        limits.append(query.window.limit)
        return find(collection, query)

    monkeypatch.setattr(store, "find", noting)
    listed = list_deliveries(store, Window(1, 6), subscription=registered)
    assert [each["id"] for each in listed.items] == ids[1:7]
    assert listed.total == 8
    newest = list_received(list(kept), Window(2, 6))
    assert [each["id"] for each in newest.items] == told[5::-1]
    assert newest.total >= 8
    assert max(limits) == 3
    purge_deliveries(store)


def test_a_removed_subscription_is_gone_with_its_deliveries(
    operations: Operations, store: Store, registered: str, client: TestClient
) -> None:
    park(store, registered, "e1")
    operations.remove(registered)
    assert client.delete(f"{BASE}/hub/{registered.rpartition(':')[2]}").status_code == 404
    assert operations.deliveries(ALL, subscription=registered).total == 0
    assert registered not in [each["id"] for each in operations.subscriptions(ALL).items]
    for attempt in (operations.remove, operations.pause, operations.test, operations.retry_all):
        with pytest.raises(DocumentNotFound):
            attempt(registered)


def test_what_unregistered_can_be_removed_and_nothing_else(
    operations: Operations, registered: str, client: TestClient
) -> None:
    client.delete(f"{BASE}/hub/{registered.rpartition(':')[2]}")
    assert operations.subscription(registered)["state"] == "unregistered"
    for attempt in (operations.resume, operations.test):
        with pytest.raises(OperationConflict, match="unregistered"):
            attempt(registered)
    operations.remove(registered)


@pytest.mark.parametrize("answers", ["204 No Content", "503 Busy"])
def test_a_test_event_tells_what_the_listener_answers(
    operations: Operations, client: TestClient, answers: str
) -> None:
    with receiving() as receiver:
        receiver.answer = status(answers)
        body = {"callback": receiver.url(f"/{id(operations)}")}
        made = client.post(f"{BASE}/hub", json=body).json()["id"]
        result = operations.test(f"partyInteraction:v4:hub:{made}")
        assert receiver.got[0].body["eventType"] == "TestEvent"
        assert receiver.got[0].headers["webhook-id"] == result["event"]
        client.delete(f"{BASE}/hub/{made}")
    assert result["delivered"] == (answers == "204 No Content")
    assert result.get("error") == (None if result["delivered"] else "the listener answered 503")


def test_a_test_event_goes_where_events_may_go_only(
    operations: Operations, store: Store, registered: str
) -> None:
    key = registered.rpartition(":")[2]
    collection = "partyInteraction/v4/hub"
    there = store.get(collection, key)
    body = json.loads(there.content) | {"callback": "http://10.0.0.1/x"}
    store.replace(collection, key, json.dumps(body), version=there.version)
    result = operations.test(registered)
    assert not result["delivered"]
    assert "10.0.0.1" in result["error"]


def send(client: TestClient, event: dict[str, Any]) -> str:
    answer = client.post(f"{BASE}/listener/partyInteractionCreateEvent", json=event)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_events_that_cannot_be_applied_are_listed_with_the_reason(
    operations: Operations, client: TestClient
) -> None:
    mark = str(id(operations))
    good = {"eventId": f"{mark}-1", "event": {"partyInteraction": {"id": mark, "reason": "r"}}}
    bad = {"eventId": f"{mark}-2", "event": {"partyInteraction": {"reason": "r"}}}
    applied, failed = send(client, good), send(client, bad)
    assert operations.received_event(applied)["outcome"] == "applied"
    listed = operations.received(ALL, failed=True)
    (found,) = (each for each in listed.items if each["id"] == failed)
    assert found["reason"] == "/event/partyInteraction/id cannot be the id of a resource"
    assert "event" not in found
    assert operations.received_event(failed)["event"] == bad
    assert applied in [each["id"] for each in operations.received(ALL).items]
    assert operations.apply(failed)["outcome"] == "failed"
    with pytest.raises(DocumentNotFound):
        operations.apply("nothing")


def test_an_event_is_applied_again_once_its_cause_is_mended(
    operations: Operations, client: TestClient, store: Store
) -> None:
    mark = f"again{id(operations)}"
    event = {"eventId": mark, "event": {"partyInteraction": {"id": mark, "reason": "r"}}}
    id_ = send(client, event)
    there = store.get("partyInteraction/listener", id_)
    kept = json.loads(there.content) | {"outcome": "failed", "reason": "of an earlier release"}
    del kept["path"]  # which earlier releases did not keep
    store.replace("partyInteraction/listener", id_, json.dumps(kept), version=there.version)
    client.delete(f"{BASE}/partyInteraction/{mark}")
    assert operations.apply(id_)["outcome"] == "applied"
    assert client.get(f"{BASE}/partyInteraction/{mark}").json()["reason"] == "r"
    assert operations.received_event(id_)["outcome"] == "applied"


def test_events_that_nothing_follows_cannot_be_applied(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/s.db", spec=(OURS,), delivery="off")
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        id_ = send(client, {"eventId": "1", "event": {"partyInteraction": {"reason": "no id"}}})
        operations = OperatorClient("", {}, client)
        assert operations.received_event(id_)["outcome"] == "kept"
        with pytest.raises(OperationConflict, match="nothing here follows"):
            operations.apply(id_)


def test_commands_print_the_same_for_a_store_and_a_server(
    settings: Settings,
    client: TestClient,
    store: Store,
    registered: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    class Lasting:
        """The test's client, which outlives a command."""

        request = staticmethod(client.request)

        def close(self) -> None:
            pass

    monkeypatch.setattr(httpx, "Client", lambda **_: Lasting())
    monkeypatch.chdir(tmp_path)
    places = [["--store", settings.store, "--spec", str(OURS)], ["--url", "http://127.0.0.1"]]
    delivery = park(store, registered, "cli-1")
    send(client, {"eventId": "cli-2", "event": {"partyInteraction": {"reason": "no id"}}})
    for arguments, says in (
        (["list"], "  cli-1  parked  T  partyInteraction/1  8 attempts, it answered 400"),
        (["list", "--json"], f'"subscription":"{registered}"'),
        (["show", "cli-1"], '{"n":"cli-1"}'),
        (["show", delivery], '{"n":"cli-1"}'),
        (["show", delivery.replace(":", "/")], '{"n":"cli-1"}'),
        (["received", "--failed"], "failed: /event/partyInteraction/id cannot be the id"),
        (["received", "--failed", "--json"], '"event":{"eventId":"cli-2"'),
        (["pause", registered], "paused by an operator"),
        (["resume", registered], "  active"),
        (["test", registered], "not delivered in"),
        (["show", "nothing"], "tmf683: delivery nothing does not exist"),
        (["pause", "nothing"], "tmf683: subscription nothing does not exist"),
        (["apply", "nothing"], "tmf683: received event nothing does not exist"),
        (["purge", "--parked", "--subscription", "x"], "subscription x does not exist"),
    ):
        done = [CliRunner().invoke(events, [*arguments, *place]) for place in places]
        codes = {each.exit_code for each in done}
        assert codes == {2 if "exist" in says else 1 if arguments[0] == "test" else 0}, done
        assert says in done[0].output
        if arguments[0] != "test":  # which says how long it took
            assert done[0].output == done[1].output
    assert CliRunner().invoke(events, ["list", *places[0], *places[1]]).exit_code == 2
    purged = CliRunner().invoke(events, ["purge", delivery, *places[1]])
    assert purged.output == "1 deliveries forgotten\n"


def test_a_server_that_has_no_operator_api_is_named() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/admin/subscription":
            return httpx.Response(200, text="<p>Hello")
        raise httpx.ConnectError("nobody listens")

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://x") as client:
        operations = OperatorClient("http://x", {}, client)
        with pytest.raises(OperatorApiError, match="it is no operator API"):
            operations.subscriptions(ALL)
        with pytest.raises(OperatorApiError, match="nobody listens"):
            operations.deliveries(ALL)


def test_both_are_the_same_operations() -> None:
    """So that a command can use either; mypy compares the signatures."""
    names = [name for name in vars(Operations) if not name.startswith("_")]
    assert len(names) == 15
    for name in names:
        assert callable(getattr(EventOperations, name))
        assert callable(getattr(OperatorClient, name))
