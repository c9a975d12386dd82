"""Running delivery: in a process of its own beside the server, in a thread, or as a command."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import uvloop

from app.contract import Contract
from app.events.outbound.callback_policy import CallbackPolicy
from app.events.outbound.delivery_cursors import DeliveryCursors
from app.events.outbound.payloads import EventContent
from app.events.outbound.retry_policy import RetryPolicy
from app.events.outbound.subscriptions import Subscriptions
from app.observability.metrics import Metrics
from app.settings import Settings
from app.tmf630.definitions import Limits
from storage import Store

if TYPE_CHECKING:
    from app.events.outbound.worker import DeliveryWorker
    from app.observability.tracing import Tracing

_STOP_SECONDS = 10.0
_READY_SECONDS = 10.0
"""How long delivery waits for the server at most."""


def callback_policy(settings: Settings) -> CallbackPolicy:
    """Return what the settings say about addresses that events may be sent to."""
    return CallbackPolicy(settings.callback_allow)


def delivery_worker(
    settings: Settings,
    contracts: Sequence[Contract],
    store: Store,
    limits: Limits,
    *,
    metrics: Metrics | None = None,
    tracing: Tracing | None = None,
) -> DeliveryWorker:
    """Return a delivery worker on a store that is prepared for the contracts."""
    content = EventContent(settings.event_content)
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    cursors = DeliveryCursors(store, holder, settings.lease_seconds)
    # The HTTP client costs start-up time, which servers beside delivery need not spend.
    from app.events.outbound.webhook import WebhookSender
    from app.events.outbound.worker import DeliveryWorker

    policy = callback_policy(settings)
    return DeliveryWorker(
        store,
        Subscriptions(contracts, store, limits, content),
        cursors,
        lambda: WebhookSender(
            policy,
            keys=settings.webhook_keys,
            seconds=settings.delivery_timeout,
            metrics=metrics,
            tracing=tracing,
        ),
        RetryPolicy(
            attempts=settings.delivery_attempts,
            first_wait=settings.delivery_wait,
            concurrency=settings.delivery_concurrency,
            retention_hours=settings.event_retention_hours,
        ),
    )


def deliver(worker: DeliveryWorker, *, parent: int | None = None) -> None:
    """Deliver until SIGTERM or SIGINT, or until the process `parent` is gone."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection is a file

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, worker.stop)
        watch = asyncio.create_task(_watch(worker, parent)) if parent else None
        await worker.run()
        if watch:
            watch.cancel()

    uvloop.run(run())


async def _watch(worker: DeliveryWorker, parent: int) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    worker.stop()


class DeliveryThread:
    """Delivery within a server process, for a store that no other process can see."""

    def __init__(self, worker: DeliveryWorker) -> None:
        self._worker = worker
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, once what is being sent is sent."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._worker.stop)
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            await self._worker.run()

        uvloop.run(run())


class DeliveryProcess:
    """Delivery in a process beside the server's; one that dies is started again.

    It begins once `ready` says that the server serves: on few cores, each would hold up the other.
    """

    def __init__(self, environment: Mapping[str, str], ready: Callable[[], bool]) -> None:
        self._environment = {**os.environ, **environment}
        self._ready = ready
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, once what is being sent is sent."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def _supervise(self) -> None:
        # -P: an `app` in the working directory is somebody else's.
        command = [sys.executable, "-P", "-m", "tmf683", "deliver", "--parent", str(os.getpid())]
        latest = time.monotonic() + _READY_SECONDS
        while not self._ready() and time.monotonic() < latest:
            if self._stopping.wait(0.02):
                return
        while not self._stopping.is_set():
            # In a process group of its own: Ctrl-C is for the server, which ends it then.
            process = subprocess.Popen(command, env=self._environment, process_group=0)  # noqa: S603
            while process.poll() is None and not self._stopping.is_set():
                self._stopping.wait(0.2)
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
            elif not self._stopping.is_set():
                time.sleep(0.2)
