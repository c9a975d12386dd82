"""How many requests a worker handles at once, and how long each may last."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from app.web.limits.admission import RequestDeadline, Slots
from app.web.limits.errors import Overloaded, RequestTimedOut


def test_slots_are_given_back_whatever_happens() -> None:
    slots = Slots(1)
    with slots.taken("a"), pytest.raises(Overloaded), slots.taken("b"):
        pass
    with pytest.raises(ZeroDivisionError), slots.taken("a"):
        _ = 1 // 0
    with slots.taken("b"):
        pass


def test_one_client_leaves_slots_to_the_others() -> None:
    slots = Slots(8)
    with ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(slots.taken("a"))
        with pytest.raises(Overloaded, match="6 requests of this client"):
            stack.enter_context(slots.taken("a"))
        for each in "bc":
            stack.enter_context(slots.taken(each))
        with pytest.raises(Overloaded, match="8 requests are"):
            stack.enter_context(slots.taken("d"))
    with slots.taken("a"):
        pass


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
