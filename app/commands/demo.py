"""`demo`: a server with a year of history, to look at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import click
import httpx
import orjson

from app.bootstrap import open_contracts, open_prepared_store
from app.commands.errors import plain_errors
from app.contract import Kind
from app.maintenance.history import History, read_histories
from app.maintenance.new_resource import NewResource, ended, texts
from app.maintenance.seed import SeedError, Target, in_version, seed, targets_of, with_history
from app.settings import OPENAPI_FOLDER, Settings, environment_of

_START_SECONDS = 120.0
_AT_ONCE = 5
"""How many interactions happen right after the start, so that the listeners have events."""

_LONGEST = timedelta(seconds=15)
"""What happens live is short, so that its beginnings are in the order of its ends."""

_STEP = 0.1


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--customers",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="How many customers the history is about.",
)
@click.option(
    "--every",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    help="Seconds from one new interaction to the next; 0 makes none.",
)
def demo(port: int, customers: int, every: float) -> None:
    """Serve a temporary store with a year of invented history until Ctrl-C.

    Two listeners receive events: one accepts them, the other refuses them, so that they are
    repeated and parked. When the command ends, the store is removed. Settings do not apply: it
    listens on this machine alone, with the defaults.
    """
    with plain_errors(SeedError, httpx.HTTPError), ExitStack() as left, _termination_as_interrupt():
        folder = Path(left.enter_context(tempfile.TemporaryDirectory(prefix="tmf683-demo-")))
        settings = Settings(
            store=f"sqlite:///{folder / 'demo.db'}",
            port=port,
            callback_allow=("127.0.0.1",),
            delivery_attempts=3,
            delivery_wait=1.0,
        )
        target, history = _filled(settings, customers)
        accepting = left.enter_context(_listener(204))
        failing = left.enter_context(_listener(422))
        server = left.enter_context(_server(settings, folder))
        origin = _origin(server, folder)
        _subscribe(target, origin, accepting, failing)
        _say(target, origin, folder)
        _live(target, history, origin, server, customers, every)


def _filled(settings: Settings, customers: int) -> tuple[Target, History]:
    contracts = open_contracts(settings)
    target, history = with_history(
        targets_of(contracts), read_histories(OPENAPI_FOLDER / "histories")
    )
    today = datetime.now(UTC).date()
    told = history.told(customers=customers, months=12, seed=1, until=today)
    store = open_prepared_store(settings, contracts)
    try:
        found = seed(target, store, in_version(target, history.into.version, told))
    finally:
        store.close()
    click.echo(f"{found.added} interactions of {customers} customers in a temporary store")
    return target, history


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the command with everything stopped and removed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("\nstopped, and the store removed")


@contextmanager
def _listener(status: int) -> Iterator[str]:
    """Listen for events on a free port, answer each with a status, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Write no log lines."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _server(settings: Settings, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server in a process group of its own, so that Ctrl-C reaches this process alone."""
    command = [sys.executable, "-m", "tmf683", "serve"]
    command += ["--ready-file", str(folder / "ready.json")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the server: none of the settings that this process was given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TMF_")}
    return {**kept, **environment_of(settings), "TMF_CONFIG": ""}


def _origin(server: subprocess.Popen[bytes], folder: Path) -> str:
    """Return the server's address once it answers.

    Raises:
        SeedError: it does not start; the message is what it wrote last.
    """
    ready, end = folder / "ready.json", time.monotonic() + _START_SECONDS
    while not ready.exists():
        if server.poll() is not None or time.monotonic() > end:
            lines = (folder / "server.log").read_text(errors="replace").splitlines()
            told = [line for line in lines if line.startswith("tmf683: ")] or lines[-3:]
            raise SeedError("the server did not start\n" + "\n".join(told))
        time.sleep(_STEP)
    url: str = orjson.loads(ready.read_bytes())["url"]
    return url


def _subscribe(target: Target, origin: str, accepting: str, failing: str) -> None:
    hubs = (each for each in target.contract.bindings if each.kind is Kind.SUBSCRIBE)
    hub = next((each.definition for each in hubs if each.definition), None)
    if hub is None:
        return
    for callback in (f"{accepting}/crm", f"{failing}/broken-desktop"):
        answer = httpx.post(f"{origin}{hub.path}", json={"callback": callback}, trust_env=False)
        answer.raise_for_status()


def _say(target: Target, origin: str, folder: Path) -> None:
    click.echo(
        f"Home          {origin}/\n"
        f"Timeline      {origin}/timeline\n"
        f"Console       {origin}/console\n"
        f"Documentation {origin}/docs/\n"
        f"API           {origin}{target.definition.path}?limit=3\n"
        f"Swagger UI    {origin}{target.contract.base_path}/ui/\n"
        f"Log           {folder / 'server.log'}\n"
        "Ctrl-C stops everything and removes the store."
    )


def _live(
    target: Target,
    history: History,
    origin: str,
    server: subprocess.Popen[bytes],
    customers: int,
    every: float,
) -> None:
    """Let interactions happen now until the server ends."""
    for number, each in enumerate(_firsts(target, history, customers)):
        _create(target, origin, each)
        end = time.monotonic() + (every if number >= _AT_ONCE else 0)
        while time.monotonic() < end or (not every and number >= _AT_ONCE):
            if server.poll() is not None:
                raise SeedError("the server has stopped")
            time.sleep(_STEP)


def _firsts(target: Target, history: History, customers: int) -> Iterator[NewResource]:
    """Yield what the customers begin stories with, again and again."""
    today = datetime.now(UTC).date()
    told = history.told(customers=customers, months=12, seed=1, until=today)
    made = list(in_version(target, history.into.version, told))
    ids = {each.id for each in made}
    firsts = [each for each in made if not ids & set(texts(each.body))]
    Random(1).shuffle(firsts)  # noqa: S311 - sample data, no secrets
    return cycle(firsts)


def _create(target: Target, origin: str, new: NewResource) -> None:
    url = f"{origin}{target.definition.path}"
    body = ended(new, datetime.now(UTC), _LONGEST).body
    httpx.post(url, json=body, trust_env=False).raise_for_status()
