from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.executor import HandlerExecutor


def test_results_and_exceptions_reach_whoever_awaits() -> None:
    async def run() -> None:
        threads = HandlerExecutor(2)
        results = await asyncio.gather(*(threads.run(lambda n: n * n, n) for n in range(50)))
        assert results == [n * n for n in range(50)]
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda n: 1 // n, 0)
        threads.stop()

    asyncio.run(run())


def test_calls_that_queue_up_share_a_batch() -> None:
    sizes: list[int] = []
    gate = threading.Event()
    current: list[int] = []

    @contextmanager
    def batch() -> Iterator[None]:
        current.clear()
        yield
        sizes.append(len(current))

    def work(number: int) -> int:
        gate.wait(60)
        current.append(number)
        return number

    async def run() -> None:
        threads = HandlerExecutor(1, most=4, batch=batch)
        waiting = [asyncio.ensure_future(threads.run(work, number)) for number in range(9)]
        await asyncio.sleep(0.1)
        gate.set()
        assert await asyncio.gather(*waiting) == list(range(9)), "in the order they came"
        threads.stop()

    asyncio.run(run())
    assert sum(sizes) == 9
    assert max(sizes) == 4


def test_a_batch_that_fails_fails_every_call_in_it() -> None:
    @contextmanager
    def batch() -> Iterator[None]:
        yield
        raise OSError("the disk is full")

    async def run() -> None:
        threads = HandlerExecutor(1, most=8, batch=batch)
        calls = [threads.run(lambda n: n, n) for n in range(5)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, OSError) for each in results)
        threads.stop()

    asyncio.run(run())


def test_a_call_that_is_cancelled_harms_no_other() -> None:
    async def run() -> None:
        threads = HandlerExecutor(1, most=8)
        first = asyncio.ensure_future(threads.run(lambda n: n, 1))
        second = asyncio.ensure_future(threads.run(lambda n: n, 2))
        first.cancel()
        assert await second == 2
        threads.stop()

    asyncio.run(run())
