"""Where delivery runs: in a process beside the server, in a thread of it, or as a command."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from app.contract import Contract
from app.events.outbound.callback_policy import CallbackPolicy
from app.events.outbound.delivery_cursors import DeliveryCursors
from app.events.outbound.payloads import EventContent
from app.events.outbound.retention import RetentionPolicy
from app.events.outbound.retry_policy import RetryPolicy
from app.events.outbound.subscriptions import Subscriptions
from app.observability.delivery_reports import DeliveryReports, report
from app.observability.log_events import LogEvent
from app.observability.metrics import Metrics
from app.settings import Settings
from app.tmf630.definitions import Limits
from storage import Store
from storage.errors import StoreError

if TYPE_CHECKING:
    from app.events.outbound.worker import DeliveryWorker
    from app.observability.tracing import Tracing

_STOP_MARGIN_SECONDS = 5.0
_FIRST_RESTART_SECONDS = 0.5
_LONGEST_RESTART_SECONDS = 30.0
_SOUND_SECONDS = 60.0
"""A process that lived this long is restarted without delay."""
_SERVER_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
    signal.SIGCHLD,
)
"""What gunicorn handles."""


def callback_policy(settings: Settings) -> CallbackPolicy:
    """Return the callback policy of the settings."""
    return CallbackPolicy(settings.callback_allow)


def import_delivery() -> None:
    """Import what delivery needs beyond a server, so that a forked process shares its memory."""
    import app.events.outbound.webhook
    import app.events.outbound.worker  # noqa: F401 - for the memory


def delivery_worker(
    settings: Settings,
    contracts: Sequence[Contract],
    store: Store,
    limits: Limits,
    *,
    metrics: Metrics | None = None,
    tracing: Tracing | None = None,
    restarts: int = 0,
) -> DeliveryWorker:
    """Return a delivery worker on a store that is prepared for the contracts."""
    content = EventContent(settings.event_content)
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    cursors = DeliveryCursors(store, holder, settings.lease_seconds)
    # Servers beside a delivery process need not spend the start-up time of the HTTP client.
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
            timeout=settings.delivery_timeout,
        ),
        retention=RetentionPolicy(settings.event_retention_hours, settings.event_retention_mb),
        reports=DeliveryReports(metrics),
        restarts=restarts,
    )


def deliver(worker: DeliveryWorker, *, parent: int | None = None) -> None:
    """Deliver until SIGTERM or SIGINT, or until the process `parent` is gone."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection needs one

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, _stop, worker, each.name)
        watch = asyncio.create_task(_watch(worker, parent)) if parent else None
        report(logging.INFO, LogEvent.DELIVERER_STARTED)
        await worker.run()
        report(logging.INFO, LogEvent.DELIVERER_STOPPED)
        if watch:
            watch.cancel()

    uvloop.run(run())


def _stop(worker: DeliveryWorker, reason: str) -> None:
    report(logging.INFO, LogEvent.DELIVERER_STOPPING, reason=reason)
    worker.stop()


async def _watch(worker: DeliveryWorker, parent: int) -> None:
    """Stop delivery within a second once the server beside which it runs is gone."""
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    _stop(worker, "the server is gone")


class _Restarts:
    """How often delivery was started again, and how long to wait before the next time.

    The wait doubles up to half a minute, until delivery has run for a minute.
    """

    def __init__(self) -> None:
        self.number = 0
        self._wait = _FIRST_RESTART_SECONDS
        self._started = time.monotonic()

    def begin(self) -> None:
        """Note that delivery starts now."""
        self._started = time.monotonic()

    def ended(self, **why: object) -> float:
        """Report that delivery ended though nobody stopped it; return how long to wait."""
        if time.monotonic() - self._started >= _SOUND_SECONDS:
            self._wait = _FIRST_RESTART_SECONDS
        wait, self._wait = self._wait, min(self._wait * 2, _LONGEST_RESTART_SECONDS)
        self.number += 1
        report(
            logging.ERROR,
            LogEvent.DELIVERER_EXITED,
            restarts=self.number,
            restart_seconds=wait,
            **why,
        )
        return wait


class DeliveryThread:
    """Delivery within a server process, for a store that no other process can open.

    `worker` makes a worker, given how often delivery was started again; one that fails is replaced
    after a while. `seconds` is how long the deliveries in flight may take when it stops.
    """

    def __init__(self, worker: Callable[[int], DeliveryWorker], seconds: float = 10.0) -> None:
        self._make = worker
        self._worker: DeliveryWorker | None = None
        self._seconds = seconds + _STOP_MARGIN_SECONDS
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, once the deliveries in flight are answered."""
        self._stopping.set()
        with suppress(RuntimeError):  # the loop ends at this moment
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._stop_worker)
        self._thread.join(self._seconds)

    def _supervise(self) -> None:
        restarts = _Restarts()
        while not self._stopping.is_set():
            restarts.begin()
            error: BaseException | None = None
            try:
                uvloop.run(self._run(restarts.number))
            except Exception as failure:
                error = failure
            if not self._stopping.is_set():
                self._stopping.wait(restarts.ended(error=repr(error)))

    async def _run(self, restarts: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._worker = self._make(restarts)
        if self._stopping.is_set():
            return
        await self._worker.run()

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop()


class DeliveryProcess:
    """Delivery in a process beside the server's; one that dies is started again.

    The process is forked from the server's, with which it shares the memory of the contracts: this
    process must have no threads. `run` delivers until SIGTERM, given how often delivery was started
    again; `close` gives back, in the new process, what only the server may hold. `seconds` is how
    long the deliveries in flight may take when it stops. The wait before each restart doubles up to
    half a minute, until one has lived for a minute.
    """

    NAME = "tmf683-deliver"
    """How `ps -o comm` and `top` show the process."""

    def __init__(
        self,
        run: Callable[[int], None],
        *,
        close: Callable[[], None] = lambda: None,
        seconds: float = 10.0,
    ) -> None:
        self._run = run
        self._close = close
        self._seconds = seconds + _STOP_MARGIN_SECONDS
        self._restarts = _Restarts()
        self._pid: int | None = None
        self._due = 0.0

    def ensure_running(self) -> None:
        """Start the process, unless it runs or its restart is not due yet."""
        self.reap()
        if self._pid is None and time.monotonic() >= self._due:
            self._start()

    def reap(self) -> None:
        """Note that the process has ended, if it has, and when it is due to be started again."""
        if self._pid is not None and (status := _exit_status(self._pid)) is not None:
            self._pid = None
            self._due = time.monotonic() + self._restarts.ended(status=status)

    def stop(self) -> None:
        """End the process, once the deliveries in flight are answered."""
        pid, self._pid = self._pid, None
        if pid is None or _exit_status(pid) is not None:
            return
        os.kill(pid, signal.SIGTERM)
        latest = time.monotonic() + self._seconds
        while _exit_status(pid) is None:
            if time.monotonic() > latest:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def _start(self) -> None:
        self._restarts.begin()
        # A signal that came before the handlers of the server are gone would be lost.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SERVER_SIGNALS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._pid = pid
            return
        status = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C is for the server, which then ends this process
            for each in _SERVER_SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            with suppress(OSError):
                Path("/proc/self/comm").write_text(self.NAME)
            self._close()
            self._run(self._restarts.number)
            status = 0
        except StoreError as error:
            logging.getLogger(__name__).error("delivery failed: %s", error)
        except Exception:
            logging.getLogger(__name__).exception("delivery failed")
        finally:
            os._exit(status)


def _exit_status(pid: int) -> int | None:
    """Return the exit status of a child that has ended, negative for a signal; None for others."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # somebody else has waited for it
        return 0
    return os.waitstatus_to_exitcode(status) if ended else None
