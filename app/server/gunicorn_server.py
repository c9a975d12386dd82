"""The production server: gunicorn with uvicorn workers.

Relies on gunicorn's `BaseApplication` (`load_config`, `load`, `run`), on `Arbiter`'s exit codes,
`stop` and `SIG_QUEUE`, and on `UvicornWorker` (`CONFIG_KWARGS`, `init_signals`, `_serve`, `ppid`);
`TESTED` are the releases whose internals these are, and a test fails when others are installed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import mmap
import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from starlette.types import ASGIApp
from uvicorn_worker import UvicornWorker

from app.application import PreparedApp, prepare_app
from app.bootstrap import open_prepared_store
from app.contract import Contract
from app.events.outbound.processes import import_delivery
from app.observability.log_events import LogEvent, log_event
from app.observability.logs import configure_logs, log_configuration
from app.observability.metrics import forget_metrics, share_metrics
from app.observability.traces import check_tracing
from app.server.connections import ConnectionLimits, Connections
from app.server.delivery import run_delivery
from app.server.lifecycle import ServerArbiter, log_start, on_exit, on_reload
from app.server.listen_address import ports_of, url_of
from app.server.protocol import GracefulServer
from app.settings import Settings
from storage.errors import StoreError
from storage.store_url import is_private

TESTED = {"gunicorn": "27.0", "uvicorn-worker": "0.4"}
"""The minor releases whose internals are used."""

_MASTER_SECONDS = 1.0
_STORE_SECONDS = 1.0
"""How long a worker that cannot open the store waits before another takes its place."""

GRACEFUL_SECONDS = 30
"""How long requests in flight may take to finish once the server is told to stop."""


class Gunicorn(BaseApplication):
    """gunicorn, configured by our settings.

    The contracts are opened and the application is put together once, before the workers come; each
    of these opens its own store.
    """

    def __init__(
        self,
        settings: Settings,
        contracts: Sequence[Contract],
        sources: Sequence[Contract],
        *,
        single_process: bool,
        ready_file: Path | None = None,
    ) -> None:
        self._ready_file = ready_file
        self._contracts = contracts
        self._sources = sources
        self._single_process = single_process
        # The workers must read each other's cursors.
        key = settings.cursor_key or secrets.token_hex(16)
        self._settings = settings.model_copy(update={"cursor_key": key})
        self._prepared: PreparedApp | None = None
        self._ready = mmap.mmap(-1, 1)  # the workers share it
        super().__init__()

    def run(self) -> None:
        """Serve until it is stopped, and deliver events meanwhile."""
        counted = share_metrics()
        configure_logs(self._settings)
        log_start(self._settings, worker_count(self._settings))
        delivers = self._settings.delivery == "server" and not self._single_process
        arbiter = ServerArbiter(
            self, self._deliver if delivers else None, self._settings.delivery_timeout
        )
        server = os.getpid()
        try:
            if delivers:
                import_delivery()
            if check_tracing() is None:  # an exporter of traces has threads, which a fork loses
                self._prepared = self._prepare()
            gc.freeze()  # collections would copy the pages that the workers share
            arbiter.run()
        finally:
            if os.getpid() == server:  # a worker that ends comes by here, too
                arbiter.stop_delivery()
                forget_metrics(counted)

    def _prepare(self) -> PreparedApp:
        return prepare_app(self._settings, self._contracts, self._sources)

    def _deliver(self, restarts: int) -> None:
        run_delivery(self._settings, self._contracts, parent=os.getppid(), restarts=restarts)

    def load_config(self) -> None:
        """Hand our settings to gunicorn."""
        for name, value in gunicorn_options(self._settings).items():
            self.cfg.set(name, value)

    def connection_limits(self) -> ConnectionLimits:
        """Return the limits on the connections of a worker."""
        return connection_limits_of(self._settings)

    def load(self) -> ASGIApp:
        """Return the application of one worker."""
        configure_logs(self._settings)
        prepared = self._prepared or self._prepare()
        try:
            store = open_prepared_store(self._settings, [*self._contracts, *self._sources])
        except StoreError as error:
            if not self._ready[0]:
                raise
            # gunicorn would take it for a fault of the application, and end the other workers.
            log_event(logging.ERROR, LogEvent.WORKER_WITHOUT_STORE, message=str(error))
            time.sleep(_STORE_SECONDS)
            sys.exit(1)
        if self._ready_file is not None:
            _write_addresses(self._ready_file, self._settings, self._contracts)
        return prepared.open(store)

    def note_ready(self) -> None:
        """Log that a worker answers requests, and of the first one that the server does."""
        if not self._ready[0]:
            self._ready[0] = 1
            log_event(logging.INFO, LogEvent.SERVER_READY, url=url_of(self._settings))
        log_event(logging.INFO, LogEvent.WORKER_READY, pid=os.getpid())


def _write_addresses(file: Path, settings: Settings, contracts: Sequence[Contract]) -> None:
    """Write the server's URL and those of its APIs; a reader never sees half of the file."""
    url = url_of(settings)
    addresses = {"url": url, "apis": [url + each.base_path for each in contracts]}
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_text(json.dumps(addresses))
    part.replace(file)


_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


class ServerWorker(UvicornWorker):
    """uvicorn's worker, leaving to our own settings what is decided there.

    `X-Forwarded-*` headers are believed by `trust_forwarded` alone, and the `Server` header would
    only tell an attacker what to look up.
    """

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "auto",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
    }

    inherited_signals: SimpleQueue[int]

    def init_signals(self) -> None:
        """Leave SIGINT to gunicorn's master, and exit quietly when stopped before serving."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, lambda *_: os._exit(0))  # nothing is in hand yet
        # Until here the master's handlers were in force, which only put a signal into a queue.
        while not self.inherited_signals.empty():
            if self.inherited_signals.get_nowait() in _STOP_SIGNALS:
                os._exit(0)

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        gunicorn: Gunicorn = self.app
        server = GracefulServer(
            self.config, Connections(gunicorn.connection_limits()), gunicorn.note_ready
        )
        # gunicorn sends SIGQUIT to its workers when it gets SIGINT or SIGQUIT itself.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGQUIT, None)
        watch = asyncio.create_task(self._stop_without_master(server))
        await server.serve(sockets=self.sockets)
        watch.cancel()
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    async def _stop_without_master(self, server: GracefulServer) -> None:
        """Stop the server when gunicorn's master has died, so that the port becomes free."""
        while os.getppid() == self.ppid:
            await asyncio.sleep(_MASTER_SECONDS)
        log_event(
            logging.ERROR,
            LogEvent.WORKER_ORPHANED,
            message="gunicorn's master has died; the worker stops",
        )
        server.should_exit = True


def keep_inherited_signals(arbiter: Arbiter, worker: ServerWorker) -> None:
    """Give a forked worker its copy of the queue that the master's signal handlers write to."""
    worker.inherited_signals = arbiter.SIG_QUEUE


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's configuration, which its workers inherit as they fork."""
    return {
        "bind": [f"{settings.host}:{port}" for port in ports_of(settings)],
        "workers": worker_count(settings),
        "worker_class": "app.server.gunicorn_server.ServerWorker",
        "post_fork": keep_inherited_signals,
        "on_reload": on_reload,
        "on_exit": on_exit,
        "graceful_timeout": GRACEFUL_SECONDS,
        "timeout": 60,
        "proc_name": "tmf683",
        "logconfig_dict": log_configuration(settings),
        "control_socket_disable": True,
    }


def connection_limits_of(settings: Settings) -> ConnectionLimits:
    """Return the limits on connections that the settings state.

    Behind a trusted proxy all connections come from one address.
    """
    per_client: int | None = settings.max_connections_per_client
    if not per_client:
        per_client = 0 if settings.trust_forwarded else None
    return ConnectionLimits(
        header_bytes=settings.max_headers,
        header_seconds=settings.header_seconds,
        keep_alive=settings.keep_alive,
        write_seconds=settings.write_seconds,
        most=settings.max_connections,
        most_per_address=per_client,
    )


def worker_count(settings: Settings) -> int:
    """Return how many processes serve: as set, else one a core, one for a private store."""
    if is_private(settings.store):
        return 1
    return settings.workers or os.cpu_count() or 1


def serve(
    settings: Settings,
    contracts: Sequence[Contract],
    sources: Sequence[Contract],
    *,
    single_process: bool,
    ready_file: Path | None = None,
) -> None:
    """Serve the contracts until it is stopped.

    `ready_file` gets the addresses, as JSON, once requests are answered.

    With a `single_process` store the worker delivers events, else a process of its own does.
    """
    Gunicorn(
        settings, contracts, sources, single_process=single_process, ready_file=ready_file
    ).run()
