"""How one subscription is delivered to: progress, refusals, absences, leases and their clocks."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import cast

import pytest

from app.events.outbound.delivery_cursors import (
    ACKNOWLEDGED,
    CURSORS,
    DeliveryCursors,
    pause_cursor,
    resume_cursor,
)
from app.events.outbound.failed_deliveries import failed_deliveries
from app.events.outbound.payloads import OutgoingEvent
from app.events.outbound.progress import Progress
from app.events.outbound.retry_policy import RetryPolicy
from app.events.outbound.subscriptions import Subscriptions
from app.events.outbound.webhook import DeliveryResult, WebhookSender
from app.events.outbound.worker import DeliveryWorker
from app.tmf630.definitions import Change, Limits
from storage import Store, json
from storage.update import find_document
from tests.app.contract.test_mapping import CONTRACTS
from tests.app.events.test_payloads import RESOURCE, record
from tests.app.events.test_worker import (
    PATIENT,
    Listener,
    change,
    cursor_in,
    deliver,
    register,
    store,
    write,
)

__all__ = ["store"]  # the fixture

DEADLINE = 60.0


def worker(
    store: Store,
    listener: Listener,
    *,
    retry: RetryPolicy = PATIENT,
    lease: float = 5.0,
    clock: Callable[[], float] = time.time,
) -> DeliveryWorker:
    return DeliveryWorker(
        store,
        Subscriptions([CONTRACTS["4"]], store, Limits()),
        DeliveryCursors(store, f"worker {uuid.uuid4()}", lease, clock=clock),
        lambda: cast(WebhookSender, listener),
        retry,
    )


async def until(wanted: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not wanted():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.01)


def patch(store: Store, id: str, number: int, reason: str = "hot") -> None:
    """Log so many changes of one resource."""
    told = [
        json.dumps(
            record(
                Change.ATTRIBUTE,
                {**RESOURCE, "id": id, "reason": reason, "description": str(each)}, "4",
                key=str(uuid.uuid4()), attributes=["description"], status=[],
            )
        )
        for each in range(number)
    ]  # fmt: skip
    store.insert("partyInteraction/partyInteraction", id, b"{}", events=told)


def _has(listener: Listener, number: int) -> bool:
    return len(listener.got) >= number


def reason_of(event: OutgoingEvent) -> str:
    return str(event.body["event"]["partyInteraction"]["reason"])


def ids(listener: Listener) -> list[str]:
    return [event.id for _, event in listener.got]


def test_progress_follows_the_lowest_unfinished_event() -> None:
    progress = Progress(10)
    for number in range(11, 16):
        progress.begin(number)
    for number in (13, 12, 15):
        progress.finish(number)
    assert (progress.position, progress.acknowledged()) == (10, ((12, 13), (15, 15)))
    progress.finish(11)
    assert (progress.position, progress.acknowledged()) == (13, ((15, 15),))
    resumed = Progress(13, progress.acknowledged())
    assert [each for each in range(14, 17) if resumed.is_acknowledged(each)] == [15]
    assert resumed.acknowledged() == ((15, 15),)


def test_a_slow_listener_gets_on_although_the_worker_is_stopped_again_and_again(
    store: Store,
) -> None:
    """Each worker is stopped in the middle of a batch; nothing is sent twice."""
    register(store)
    write(store, 120)
    got: list[str] = []
    rounds = 0
    while len(got) < 120:
        listener = Listener()
        wanted = min(35, 120 - len(got))
        deliver(store, listener, partial(_has, listener, wanted))
        got += ids(listener)
        rounds += 1
        assert rounds < 10, "it does not get on"
    assert Counter(got).most_common(1)[0][1] == 1
    assert rounds > 1


def test_stopping_sends_nothing_new_and_waits_for_what_is_on_its_way(store: Store) -> None:
    cursor = register(store)
    write(store, 100)

    async def run() -> None:
        answered = asyncio.Event()

        async def answer(_: OutgoingEvent) -> DeliveryResult:
            await answered.wait()
            return DeliveryResult()

        listener = Listener(answer)
        running = worker(store, listener)
        task = asyncio.create_task(running.run())
        await until(lambda: len(listener.got) == PATIENT.concurrency)
        running.stop()
        await asyncio.sleep(0)
        answered.set()
        await task
        assert len(listener.got) == PATIENT.concurrency
        there = cursor_in(store, cursor)
        assert (there.position, there.holder) == (PATIENT.concurrency, "")

    asyncio.run(run())


def test_nothing_of_a_dispatcher_goes_on_after_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would renew the lease, and store the progress of then, for ever.

    Before Python 3.12, `wait_for` swallows a cancellation that comes together with its result.
    """
    cursor = register(store)
    write(store, 6)
    wait_for = asyncio.wait_for

    async def swallowing(awaitable: Awaitable[bool], seconds: float | None) -> bool:
        try:
            return await wait_for(awaitable, seconds)
        except asyncio.CancelledError:
            return True

    monkeypatch.setattr(asyncio, "wait_for", swallowing)

    async def run() -> None:
        async def answer(_: OutgoingEvent) -> DeliveryResult:
            return DeliveryResult("it answered 500")

        listener = Listener(answer)
        running = worker(store, listener, lease=0.3)
        task = asyncio.create_task(running.run())
        await until(lambda: cursor_in(store, cursor).failures > 0)
        running.stop()
        await task
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert cursor_in(store, cursor).holder == ""

    asyncio.run(run())


def test_what_was_acknowledged_behind_an_unfinished_event_is_not_sent_again(store: Store) -> None:
    """The first event never ends; the worker is killed; another one takes over."""
    cursor = register(store)
    write(store, 1, reason="stuck")
    write(store, 60, reason="other")

    async def run() -> Listener:
        stuck = asyncio.Event()

        async def answer(event: OutgoingEvent) -> DeliveryResult:
            if reason_of(event) == "stuck":
                await stuck.wait()
            return DeliveryResult()

        listener = Listener(answer)
        task = asyncio.create_task(worker(store, listener).run())

        def stored() -> int:
            there = find_document(store, ACKNOWLEDGED, cursor)
            ranges = json.loads(there.content)["ranges"] if there else []
            return sum(last - first + 1 for first, last in ranges)

        await until(lambda: len(listener.got) == 61)
        await until(lambda: stored() == 60)
        assert cursor_in(store, cursor).position == 0
        # What kill -9 leaves: the cursor as it was stored last, still with its holder.
        left = [store.get(CURSORS, cursor), store.get(ACKNOWLEDGED, cursor)]
        stuck.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for collection, document in zip((CURSORS, ACKNOWLEDGED), left, strict=True):
            there = store.get(collection, cursor)
            store.replace(collection, cursor, document.content, version=there.version)
        return listener

    first = asyncio.run(run())
    assert cursor_in(store, cursor).holder
    second = Listener()

    async def take_over() -> None:
        running = worker(store, second, lease=0.2)
        task = asyncio.create_task(running.run())
        await until(lambda: cursor_in(store, cursor).position == 61)
        running.stop()
        await task

    asyncio.run(take_over())
    assert [reason_of(event) for _, event in second.got] == ["stuck"]
    assert len(set(ids(first)) | set(ids(second))) == 61


@pytest.mark.parametrize(("window", "resources"), [(4096, 1), (64, 1), (256, 8)])
def test_hot_resources_do_not_hold_up_others(
    store: Store, monkeypatch: pytest.MonkeyPatch, window: int, resources: int
) -> None:
    """Neither within what is read ahead, nor when they have more events than that."""
    monkeypatch.setattr("app.events.outbound.dispatcher._WINDOW", window)
    monkeypatch.setattr("app.events.outbound.dispatcher._HOT", window // 4)
    register(store)
    for number in range(resources):
        patch(store, f"hot{number}", 400 // resources)
    write(store, 3, reason="other")

    async def run() -> list[OutgoingEvent]:
        others = asyncio.Event()

        async def answer(event: OutgoingEvent) -> DeliveryResult:
            if reason_of(event) == "hot":
                await others.wait()
            return DeliveryResult()

        listener = Listener(answer)
        running = worker(store, listener)
        task = asyncio.create_task(running.run())
        await until(lambda: [reason_of(event) for _, event in listener.got].count("other") == 3)
        assert len(listener.got) == resources + 3
        write(store, 1, reason="later")  # written while the dispatcher is busy
        await until(lambda: "later" in [reason_of(event) for _, event in listener.got])
        others.set()
        await until(lambda: len(listener.got) == 404)
        running.stop()
        await task
        return [event for _, event in listener.got]

    got = asyncio.run(run())
    told: dict[str, list[str]] = {}
    for event in got:
        resource = event.body["event"]["partyInteraction"]
        if reason_of(event) == "hot":
            told.setdefault(resource["id"], []).append(resource["description"])
    assert len(told) == resources
    assert all(each == list(map(str, range(400 // resources))) for each in told.values())
    assert not failed_deliveries(store)


REFUSALS = [400, 401, 403, 404, 405, 406, 409, 411, 413, 414, 415, 422, 431]


def refusing(reason: str) -> Callable[[OutgoingEvent], Awaitable[DeliveryResult]]:
    async def answer(event: OutgoingEvent) -> DeliveryResult:
        if reason_of(event) == reason:
            return DeliveryResult("it answered 422", refused=True)
        return DeliveryResult()

    return answer


def test_events_that_are_refused_are_parked_and_harm_no_other(store: Store) -> None:
    cursor = register(store)
    write(store, 4, reason="poison")
    few = RetryPolicy(first_wait=0.01, poll_seconds=0.01, attempts=3)

    def parked() -> bool:
        return len(failed_deliveries(store, state="parked")) == 4

    deliver(store, Listener(refusing("poison")), parked, retry=few)
    assert (cursor_in(store, cursor).suspended, cursor_in(store, cursor).failures) == ("", 0)
    write(store, 1, reason="good")
    listener = Listener(refusing("poison"))
    deliver(store, listener, lambda: bool(listener.got), retry=few)
    assert [reason_of(event) for _, event in listener.got] == ["good"]


def test_a_refusal_shows_that_a_resting_listener_is_back(store: Store) -> None:
    cursor = register(store)
    change(store, cursor, failures=2)
    write(store, 1, reason="poison")
    write(store, 5, reason="good")
    listener = Listener(refusing("poison"))
    deliver(store, listener, lambda: len(listener.got) >= 6)
    assert cursor_in(store, cursor).failures == 0


def test_an_absent_listener_rests_and_no_event_is_parked_for_it(store: Store) -> None:
    async def absent(_: OutgoingEvent) -> DeliveryResult:
        return DeliveryResult("no answer in time")

    cursor = register(store)
    write(store, 30)
    few = RetryPolicy(first_wait=0.001, poll_seconds=0.01, attempts=4)
    deliver(store, Listener(absent), lambda: bool(cursor_in(store, cursor).suspended), retry=few)
    assert not failed_deliveries(store, state="parked")
    resume_cursor(store, cursor, retry_at=time.time())
    listener = Listener()
    deliver(store, listener, lambda: len(set(ids(listener))) == 30)


class Clock:
    """A wall clock that is wrong by so many seconds."""

    def __init__(self, wrong_by: float = 0.0) -> None:
        self.wrong_by = wrong_by

    def __call__(self) -> float:
        return time.time() + self.wrong_by


def test_a_lease_of_a_wrong_clock_ends_like_any_other(store: Store) -> None:
    """Written by a worker that ran 30 days ahead, and was killed."""
    cursor = register(store)
    write(store, 3)
    change(store, cursor, holder="dead", held_until=time.time() + 30 * 86400)
    listener = Listener()

    async def run() -> None:
        running = worker(store, listener, lease=0.3)
        task = asyncio.create_task(running.run())
        await until(lambda: len(listener.got) == 3)
        running.stop()
        await task

    asyncio.run(run())


def test_resuming_clears_the_holder(store: Store) -> None:
    cursor = register(store)
    change(store, cursor, holder="dead", held_until=time.time() + 30 * 86400, suspended="gone")
    assert resume_cursor(store, cursor)
    there = cursor_in(store, cursor)
    assert (there.holder, there.held_until, there.suspended) == ("", 0.0, "")


@pytest.mark.parametrize("apart", [60.0, -60.0])
def test_two_workers_whose_clocks_differ_repeat_nothing(store: Store, apart: float) -> None:
    cursors = [register(store) for _ in range(3)]
    write(store, 80)

    async def run() -> Iterator[str]:
        listener = Listener()
        workers = [worker(store, listener, lease=1.0, clock=Clock(wrong)) for wrong in (0.0, apart)]
        tasks = [asyncio.create_task(each.run()) for each in workers]
        await until(lambda: len(listener.got) >= 200)
        write(store, 20)
        await until(
            lambda: all(cursor_in(store, each).position == store.last_event() for each in cursors)
        )
        for each in workers:
            each.stop()
        await asyncio.gather(*tasks)
        return (f"{callback} {event.id}" for callback, event in listener.got)

    got = Counter(asyncio.run(run()))
    assert len(got) == 300
    assert got.most_common(1)[0][1] == 1


def test_a_lease_is_held_while_its_holder_renews_it(store: Store) -> None:
    """By the observer's own clock alone: `held_until` may say what it wants."""
    now = [0.0]
    cursor = register(store)
    change(store, cursor, holder="other", held_until=1.0)
    observer = DeliveryCursors(store, "me", 10.0, monotonic=lambda: now[0])
    for _ in range(5):
        (seen,) = observer.all()
        assert not observer.is_free(seen)
        assert observer.take(cursor) is None
        now[0] += 9.0
        change(store, cursor, held_until=1.0)  # the version grows
    (seen,) = observer.all()
    now[0] += 11.0
    assert observer.is_free(seen)
    taken = observer.take(cursor)
    assert taken is not None
    assert taken[0].holder == "me"


def test_each_failure_leaves_a_line_but_not_too_many(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async def absent(_: OutgoingEvent) -> DeliveryResult:
        return DeliveryResult("it answered 503")

    caplog.set_level(logging.INFO, "tmf683.delivery")
    cursor = register(store)
    write(store, 40)
    few = RetryPolicy(first_wait=0.001, poll_seconds=0.01, attempts=3)
    deliver(store, Listener(absent), lambda: bool(cursor_in(store, cursor).suspended), retry=few)
    resume_cursor(store, cursor, retry_at=time.time())
    poison = refusing("r")  # the reason of all of these
    deliver(
        store, Listener(poison), lambda: bool(failed_deliveries(store, state="parked")), retry=few
    )
    fields = [vars(each)["fields"] for each in caplog.records if hasattr(each, "fields")]
    named = Counter(each["event"] for each in fields)
    assert named["subscription.suspended"] == 1
    assert 1 <= named["delivery.failed"] <= 2  # one for each worker
    assert named["delivery.parked"] == 1
    assert {each["subscription"] for each in fields if "subscription" in each} == {cursor}


def test_a_subscription_that_is_paused_and_resumed_leaves_two_lines(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tmf683.delivery")
    cursor, before = register(store), register(store)
    pause_cursor(store, before, "somebody, before the worker was there")
    looked = 0

    def resumed() -> bool:
        nonlocal looked
        looked += 1
        if looked == 5:
            pause_cursor(store, cursor, "key:ops")
            write(store, 1)
        elif "subscription.paused" in lines():
            resume_cursor(store, cursor)
            write(store, 1)
        return "subscription.resumed" in lines()

    def lines() -> list[str]:
        return [vars(each)["fields"]["event"] for each in caplog.records if "fields" in vars(each)]

    deliver(store, Listener(), resumed)
    told = [each for each in lines() if each in ("subscription.paused", "subscription.resumed")]
    assert told == ["subscription.paused", "subscription.resumed"]
    paused = next(
        vars(e)["fields"] for e in caplog.records if "reason" in vars(e).get("fields", {})
    )
    assert (paused["subscription"], paused["reason"]) == (cursor, "paused by key:ops")
