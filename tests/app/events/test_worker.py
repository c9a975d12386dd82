"""A worker on a store of its own, with a sender that notes what it is given."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from app.contract import Kind
from app.events.outbound.delivery_cursors import (
    CURSORS,
    DeliveryCursor,
    DeliveryCursors,
    open_cursor,
    prepare_cursors,
    resume_cursor,
)
from app.events.outbound.dispatcher import Dispatcher
from app.events.outbound.event_log import BATCH
from app.events.outbound.heartbeat import prepare_heartbeats
from app.events.outbound.payloads import OutgoingEvent
from app.events.outbound.retry_policy import RetryPolicy
from app.events.outbound.subscriptions import Subscriptions
from app.events.outbound.webhook import DeliveryResult, WebhookSender
from app.events.outbound.worker import DeliveryWorker
from app.tmf630.definitions import Change, Limits
from app.tmf630.representation import PARTIES
from storage import DocumentNotFound, Query, Store, json
from storage.sqlite import SqliteStore
from tests.app.contract.test_mapping import CONTRACTS
from tests.app.events.test_payloads import RESOURCE, record
from tests.conftest import OURS
from tests.server import clean_environment

HUBS = {
    major: next(
        each.definition.collection
        for each in contract.bindings
        if each.kind is Kind.SUBSCRIBE and each.definition is not None
    )
    for major, contract in CONTRACTS.items()
}
PATIENT = RetryPolicy(first_wait=0.01, poll_seconds=0.01)
Answer = Callable[[OutgoingEvent], Awaitable[DeliveryResult]]


class Listener:
    """Stands for every listener: notes events by callback, and how many came at the same time."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.got: list[tuple[str, OutgoingEvent]] = []
        self.most_at_once = 0
        self._answer = answer
        self._at_once = 0

    async def send(self, callback: str, event: OutgoingEvent) -> DeliveryResult:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.got.append((callback, event))
        try:
            await asyncio.sleep(0.005)
            return await self._answer(event) if self._answer else DeliveryResult()
        finally:
            self._at_once -= 1

    sent_at = 0.0

    async def turn(self) -> None:
        """There is no pace."""

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore(tmp_path / "store.db", durability="normal")
    for contract in CONTRACTS.values():
        for each in contract.bindings:
            if each.definition is not None:
                opened.prepare(each.definition.collection, ())
    prepare_cursors(opened)
    prepare_heartbeats(opened)
    yield opened
    opened.close()


def register(store: Store, *, major: str = "4", position: int = 0, **more: Any) -> str:
    """Keep a subscription as a hub does; return the name of its cursor."""
    id = str(uuid.uuid4())
    body = {"id": id, "callback": f"https://listener.example/{id}", **more}
    cursor = f"{HUBS[major]}/{id}"
    open_cursor(store, cursor, position)
    store.insert(HUBS[major], id, json.dumps(body))
    return cursor


def write(store: Store, number: int, **more: Any) -> None:
    """EventLogReader so many creations, each of a resource of its own."""
    for _ in range(number):
        id = str(uuid.uuid4())
        told = record(Change.CREATE, {**RESOURCE, "id": id, **more}, "4", key=str(uuid.uuid4()))
        store.insert("partyInteraction/partyInteraction", id, b"{}", events=[json.dumps(told)])


def cursor_in(store: Store, name: str) -> DeliveryCursor:
    return DeliveryCursor(**json.loads(store.get(CURSORS, name).content))


def change(store: Store, name: str, **attributes: Any) -> None:
    there = store.get(CURSORS, name)
    cursor = json.loads(there.content) | attributes
    store.replace(CURSORS, name, json.dumps(cursor), version=there.version)


def deliver(
    store: Store,
    listener: Listener,
    until: Callable[[], bool],
    *,
    retry: RetryPolicy = PATIENT,
    majors: tuple[str, ...] = ("4",),
) -> None:
    """Run a worker that serves these releases until something is so."""
    contracts = [CONTRACTS[major] for major in majors]
    worker = DeliveryWorker(
        store,
        Subscriptions(contracts, store, Limits()),
        DeliveryCursors(store, f"worker {uuid.uuid4()}", 5.0),
        lambda: cast(WebhookSender, listener),
        retry,
    )

    async def run() -> None:
        running = asyncio.create_task(worker.run())
        end = time.monotonic() + 120
        while not until():
            assert time.monotonic() < end, "it did not come to that"
            await asyncio.sleep(0.01)
        worker.stop()
        await running

    asyncio.run(run())


def test_a_listener_that_is_back_gets_many_at_once(store: Store) -> None:
    cursor = register(store)
    change(store, cursor, failures=2)
    write(store, 60)
    listener = Listener()
    deliver(store, listener, lambda: len(listener.got) == 60)
    assert listener.most_at_once > 4
    assert cursor_in(store, cursor).failures == 0


def test_deliveries_go_on_while_others_write(store: Store, tmp_path: Path) -> None:
    """How far a cursor has come can be stored later; the listener need not wait for that."""
    register(store)
    write(store, 600)
    busy = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)

    async def answer(_: OutgoingEvent) -> DeliveryResult:
        if len(listener.got) < 600 and not busy.in_transaction:
            busy.execute("BEGIN IMMEDIATE")
        elif len(listener.got) == 600 and busy.in_transaction:
            busy.execute("ROLLBACK")
        return DeliveryResult()

    listener = Listener(answer)
    # A store that waited for the other writer would wait beyond the deadline of `deliver`.
    with closing(SqliteStore(tmp_path / "store.db", busy_seconds=600)) as waiting:
        deliver(waiting, listener, lambda: len(listener.got) >= 600)
    assert len({event.id for _, event in listener.got}) == 600
    busy.close()


def test_a_resting_listener_is_tried_with_something_new_first(store: Store) -> None:
    """Else events that it will never take would keep it from those that it would."""

    async def answer(event: OutgoingEvent) -> DeliveryResult:
        poison = event.body["event"]["partyInteraction"]["reason"] == "poison"
        return DeliveryResult("it answered 400") if poison else DeliveryResult()

    cursor = register(store)
    write(store, 3, reason="poison")
    listener = Listener(answer)
    deliver(store, listener, lambda: cursor_in(store, cursor).failures == 1)
    write(store, 5, reason="sound")
    told = Listener(answer)
    deliver(store, told, lambda: len(told.got) >= 6)
    reasons = [event.body["event"]["partyInteraction"]["reason"] for _, event in told.got]
    assert reasons[:5] == ["sound"] * 5


def test_what_is_due_is_not_forgotten_when_the_lane_rests(store: Store) -> None:
    async def refuse(event: OutgoingEvent) -> DeliveryResult:
        return DeliveryResult("it answered 500")

    cursor = register(store)
    write(store, 5)
    one_by_one = RetryPolicy(first_wait=0.01, poll_seconds=0.01, attempts=100)
    deliver(
        store, Listener(refuse), lambda: cursor_in(store, cursor).failures > 1, retry=one_by_one
    )
    for each in DeliveryCursors(store, "operator", 5.0).failed(cursor=cursor):
        DeliveryCursors(store, "operator", 5.0).put(
            replace(each, next=0.0)
        )  # as `events retry` does
    resume_cursor(store, cursor, retry_at=time.time())
    one_by_one = RetryPolicy(first_wait=3600, poll_seconds=0.01, concurrency=1)
    deliver(
        store, Listener(refuse), lambda: cursor_in(store, cursor).failures > 0, retry=one_by_one
    )
    assert cursor_in(store, cursor).retry_at == 1.0
    change(store, cursor, rest_until=0.0)
    told = Listener()
    deliver(store, told, lambda: len(told.got) == 2)


def test_what_a_wrong_clock_put_off_is_sent_once_it_is_right(store: Store) -> None:
    async def refuse(event: OutgoingEvent) -> DeliveryResult:
        return DeliveryResult("it answered 500")

    cursor = register(store)
    write(store, 3)
    often = RetryPolicy(first_wait=0.01, poll_seconds=0.01, attempts=100)
    deliver(store, Listener(refuse), lambda: cursor_in(store, cursor).failures > 1, retry=often)
    later = time.time() + 30 * 86400.0
    for each in DeliveryCursors(store, "operator", 5.0).failed(cursor=cursor):
        DeliveryCursors(store, "operator", 5.0).put(replace(each, next=later))
    change(store, cursor, rest_until=later, retry_at=later)
    told = Listener()
    deliver(store, told, lambda: len({event.id for _, event in told.got}) == 3)


def test_who_unregisters_gets_nothing_of_what_is_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = register(store)
    write(store, 600)
    listener = Listener()
    retry = RetryPolicy(poll_seconds=0.01, concurrency=1)

    def unregistered() -> bool:
        if not listener.got:
            return False
        with contextlib.suppress(DocumentNotFound):
            store.delete(HUBS["4"], cursor.rpartition("/")[2], version=1)
            write(store, 1)
            return False
        return cursor not in {each.id for each in store.find(CURSORS, Query()).documents}

    monkeypatch.setattr("app.events.outbound.worker._YOUNG_SECONDS", 0.0)
    monkeypatch.setattr("app.events.outbound.worker._TIDY_SECONDS", 0.0)
    deliver(store, listener, unregistered, retry=retry)
    assert len(listener.got) < 300


def test_what_failed_before_is_not_told_to_who_registers_anew(store: Store) -> None:
    async def refuse(event: OutgoingEvent) -> DeliveryResult:
        return DeliveryResult("it answered 410", gone=True)

    cursor = register(store)
    write(store, 1)
    deliver(store, Listener(refuse), lambda: bool(cursor_in(store, cursor).suspended))
    open_cursor(store, cursor, store.last_event())
    write(store, 1)
    listener = Listener()
    deliver(store, listener, lambda: bool(listener.got))
    time.sleep(0.1)
    deliver(store, listener, lambda: cursor_in(store, cursor).position == 2)
    assert len(listener.got) == 1


def test_the_lanes_of_another_servers_hubs_are_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.events.outbound.worker._YOUNG_SECONDS", 0.0)
    other = register(store, major="5")
    gone = f"{HUBS['5']}/{uuid.uuid4()}"
    open_cursor(store, gone, 0)

    def closed() -> bool:
        try:
            store.get(CURSORS, gone)
        except DocumentNotFound:
            return True
        return False

    deliver(store, Listener(), closed)
    assert cursor_in(store, other).position == 0


def test_events_that_were_removed_untold_are_counted(store: Store) -> None:
    cursor = register(store)
    change(store, cursor, suspended="it answered 410")
    write(store, 7)
    store.prune_events(datetime(2100, 1, 1, tzinfo=UTC))
    change(store, cursor, suspended="")
    listener = Listener()
    deliver(store, listener, lambda: bool(listener.got))
    assert len(listener.got) == 1  # the newest is never removed
    assert (cursor_in(store, cursor).missed, cursor_in(store, cursor).position) == (6, 7)


def test_a_worker_goes_on_after_what_nobody_foresaw(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(store)
    write(store, 1)
    looks = iter([ZeroDivisionError("what nobody foresaw")])
    last_event = store.last_event

    def unforeseen() -> int:
        for error in looks:
            raise error
        return last_event()

    monkeypatch.setattr(store, "last_event", unforeseen)
    listener = Listener()
    deliver(store, listener, lambda: len(listener.got) == 1)


@pytest.mark.slow
def test_a_lane_that_always_fails_is_tried_ever_less(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(dispatcher: Dispatcher) -> None:
        tried.append(1)
        if len(tried) <= 3:
            raise KeyError("nobody foresaw this")
        await run(dispatcher)

    tried: list[int] = []
    run = Dispatcher.run
    monkeypatch.setattr(Dispatcher, "run", fail)
    listener = Listener()
    register(store)
    write(store, 1)
    deliver(store, listener, lambda: len(listener.got) == 1)
    failed = [each.message for each in caplog.records if "failed" in each.message]
    waits = [each.rpartition("tried again in ")[2] for each in failed]
    assert waits == ["0.5 s", "1.0 s", "2.0 s"]


def test_a_subscription_made_anew_is_read_anew(store: Store) -> None:
    """It has the id it had, and may be bound to other parties."""
    subscriptions = Subscriptions([CONTRACTS["4"]], store, Limits())
    cursor = register(store, **{PARTIES: ["1"]})
    assert subscriptions.read()[cursor].parties == ("1",)
    id = cursor.rpartition("/")[2]
    body = json.loads(store.get(HUBS["4"], id).content)
    store.delete(HUBS["4"], id, version=1)
    store.insert(HUBS["4"], id, json.dumps(body | {PARTIES: ["2"]}))
    assert subscriptions.read()[cursor].parties == ("2",)


def test_many_lanes_read_the_log_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(200):
        register(store)
    write(store, 2)
    reads: Counter[int] = Counter()
    events = store.events

    def counted(after: int, limit: int) -> Any:
        reads[after] += limit == BATCH  # else it is retention that reads
        return events(after, limit)

    monkeypatch.setattr(store, "events", counted)
    listener = Listener()
    deliver(store, listener, lambda: len(listener.got) == 400)
    assert len({callback for callback, _ in listener.got}) == 200
    assert reads[0] == 1


def operator(store: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("tmf683")), "events", *arguments]
    return subprocess.run(
        [*command, "--store", store, "--spec", str(OURS)],
        capture_output=True, text=True, env=clean_environment(), check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.slow
def test_an_operator_sees_who_is_behind_and_what_was_missed(store: Store, tmp_path: Path) -> None:
    cursor = register(store, position=0)
    change(store, cursor, suspended="it answered 410")
    write(store, 4)
    store.prune_events(datetime(2100, 1, 1, tzinfo=UTC))
    write(store, 2)
    url = f"sqlite:///{tmp_path}/store.db"
    callback = f"https://listener.example/{cursor.rpartition('/')[2]}"
    shown = operator(url, "list").stdout
    id = cursor.replace("/", ":")
    assert shown == f"{id}  3 behind  3 missed  {callback}  suspended: it answered 410\n"
    told = json.loads(operator(url, "list", "--json").stdout.encode())
    assert (told["subscription"], told["behind"], told["missed"]) == (id, 3, 3)
    change(store, cursor, holder="host:1", held_until=1e9)
    assert " held by host:1 until 2001-09-09T01:46:40Z\n" in operator(url, "list").stdout
    assert json.loads(operator(url, "list", "--json").stdout.encode())["holder"] == "host:1"


@pytest.mark.parametrize("command", [["list"], ["received"], ["purge", "--parked"]])
def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, command: list[str]) -> None:
    done = operator(f"sqlite:///{tmp_path}/mistyped.db", *command)
    assert done.returncode == 2
    assert done.stderr == f"tmf683: store {tmp_path}/mistyped.db does not exist\n"
    assert not (tmp_path / "mistyped.db").exists()
