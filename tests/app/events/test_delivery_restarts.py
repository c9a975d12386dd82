"""Delivery that dies is started again, later each time."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from app.events.outbound import processes
from app.events.outbound.processes import DeliveryProcess, DeliveryThread
from app.events.outbound.worker import DeliveryWorker
from tests.server import eventually, is_delivery, is_running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_FIRST_RESTART_SECONDS", 0.001)
    monkeypatch.setattr(processes, "_LONGEST_RESTART_SECONDS", 0.004)


def waits(caplog: pytest.LogCaptureFixture) -> list[tuple[int, float]]:
    fields = (getattr(record, "fields", {}) for record in caplog.records)
    return [
        (each["restarts"], each["restart_seconds"])
        for each in fields
        if each.get("event") == "deliverer.exited"
    ]


EXPECTED = [(1, 0.001), (2, 0.002), (3, 0.004), (4, 0.004)]


def fail_again(restarts: int) -> None:
    if restarts:
        raise RuntimeError("unforeseen")


def test_a_delivery_process_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    process = DeliveryProcess(fail_again)

    def restarted() -> bool:
        process.ensure_running()
        return len(waits(caplog)) >= 4

    assert eventually(restarted)
    process.stop()
    assert waits(caplog)[:4] == EXPECTED
    assert caplog.records[0].fields["status"] == 0  # type: ignore[attr-defined]
    assert caplog.records[1].fields["status"] == 1  # type: ignore[attr-defined]


def test_a_delivery_process_has_a_name_and_ends_when_it_is_told_to() -> None:
    """A process that ignores the signal is killed."""
    waiting = threading.Event()

    def ignore(restarts: int) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        waiting.wait()

    for run, seconds in ((lambda _: waiting.wait(), 60.0), (ignore, -4.9)):
        process = DeliveryProcess(run, seconds=seconds)
        process.ensure_running()
        pid = process._pid
        assert pid is not None
        assert eventually(lambda pid=pid: is_delivery(pid))
        process.stop()
        assert not is_running(pid)


class Failing:
    """Stands for a worker that fails as it runs."""

    def stop(self) -> None:
        """Nothing runs."""

    async def run(self) -> None:
        raise RuntimeError("unforeseen")


class Running(Failing):
    """Stands for a worker that runs until it is stopped."""

    def __init__(self) -> None:
        self.ran = threading.Event()

    async def run(self) -> None:
        import asyncio

        self.stopped = asyncio.Event()
        self.ran.set()
        await self.stopped.wait()

    def stop(self) -> None:
        self.stopped.set()


def thread(worker: Callable[[int], Any]) -> DeliveryThread:
    return DeliveryThread(cast(Callable[[int], DeliveryWorker], worker))


def test_delivery_in_a_thread_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    made: list[int] = []
    sound = Running()

    def make(restarts: int) -> Failing:
        made.append(restarts)
        if restarts == 1:
            raise RuntimeError("cannot be made")
        return sound if restarts == 4 else Failing()

    delivery = thread(make)
    delivery.start()
    assert sound.ran.wait(60)
    delivery.stop()
    assert made == [0, 1, 2, 3, 4]
    assert waits(caplog) == EXPECTED
    assert not delivery._thread.is_alive()


def test_delivery_that_is_told_to_stop_is_not_started_again() -> None:
    made: list[int] = []
    delivery = thread(lambda restarts: made.append(restarts) or Failing())
    delivery._stopping.set()
    delivery.start()
    delivery.stop()
    assert made == []
