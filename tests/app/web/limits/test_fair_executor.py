"""Threads are shared: one client's calls do not keep another's waiting."""

from __future__ import annotations

import asyncio
import threading

import pytest

from app.web.limits.fair_executor import FairExecutor


def test_results_and_exceptions_reach_the_caller() -> None:
    async def run() -> None:
        executor = FairExecutor(2)
        calls = (executor.run(lambda n: n * n, n, str(n % 3)) for n in range(50))
        assert await asyncio.gather(*calls) == [n * n for n in range(50)]
        with pytest.raises(ZeroDivisionError):
            await executor.run(lambda n: 1 // n, 0, "a")
        executor.stop()

    asyncio.run(run())


def test_one_client_leaves_a_thread_to_the_others() -> None:
    async def run() -> None:
        gate = threading.Event()
        executor = FairExecutor(3)
        greedy = [executor.run(lambda _: gate.wait(60), None, "greedy") for _ in range(20)]
        assert await executor.run(lambda n: n, 7, "other") == 7, "while the first is not done"
        gate.set()
        await asyncio.gather(*greedy)
        executor.stop()

    asyncio.run(run())


def test_with_one_thread_clients_take_turns() -> None:
    async def run() -> list[str]:
        order: list[str] = []
        executor = FairExecutor(1)
        calls = [executor.run(order.append, "a", "a") for _ in range(5)]
        calls += [executor.run(order.append, "b", "b") for _ in range(2)]
        await asyncio.gather(*calls)
        executor.stop()
        return order

    assert asyncio.run(run()) == ["a", "a", "b", "a", "b", "a", "a"]


def test_a_cancelled_call_gives_its_thread_back_when_it_ends() -> None:
    async def run() -> None:
        gate, executor = threading.Event(), FairExecutor(1)
        first = executor.run(lambda _: gate.wait(60), None, "a")
        second = executor.run(lambda n: n, 2, "a")
        third = executor.run(lambda n: n, 3, "a")
        first.cancel()
        second.cancel()
        gate.set()
        assert await third == 3
        executor.stop()

    asyncio.run(run())
