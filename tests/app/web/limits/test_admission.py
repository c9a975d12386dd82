"""How many requests a worker handles at once, and how long each may last."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.web.limits.admission import RequestDeadline, Slots
from app.web.limits.errors import Overloaded, RequestTimedOut


def test_a_slot_is_free_again_once_it_is_given_back() -> None:
    slots = Slots(1)
    slots.take("a")
    with pytest.raises(Overloaded, match="1 requests are"):
        slots.take("b")
    slots.give_back("a")
    slots.take("b")


def test_one_client_leaves_slots_to_the_others() -> None:
    slots = Slots(8)
    for _ in range(6):
        slots.take("a")
    with pytest.raises(Overloaded, match="6 requests of this client"):
        slots.take("a")
    for each in "bc":
        slots.take(each)
    with pytest.raises(Overloaded, match="8 requests are"):
        slots.take("d")
    slots.give_back("a")
    slots.take("a")


def ask(app: RequestDeadline, path: str) -> Any:
    return app({"type": "http", "path": path}, None, None)  # type: ignore[arg-type]


def test_a_request_ends_at_its_deadline_and_others_go_on() -> None:
    async def run() -> list[object]:
        done = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await done.wait()

        app = RequestDeadline(application, seconds=0.01, managed={"/health"})
        managed = asyncio.ensure_future(ask(app, "/health"))
        outcomes = await asyncio.gather(
            *(ask(app, "/slow") for _ in range(3)), return_exceptions=True
        )
        assert not managed.done()
        done.set()
        await managed
        await ask(app, "/quick")  # a new deadline is armed after the last one was used
        return outcomes

    assert [type(each) for each in asyncio.run(run())] == [RequestTimedOut] * 3


def test_a_cancelled_request_is_no_timeout() -> None:
    async def run() -> None:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.Event().wait()

        task = asyncio.ensure_future(ask(RequestDeadline(application, seconds=60, managed=()), "/"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
