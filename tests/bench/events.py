"""`make bench-events`: what delivery costs a POST, and how many events reach a listener a second.

Two servers on stores of their own take turns: one without a listener, one with a listener for
everything. Then the events of a stock of writes are delivered while others go on.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

import httpx

from app.settings import OPENAPI_FOLDER
from tests.bench.http import BODY, CONNECTIONS, measure
from tests.server import Server, free_port, running_server

MOST_OVERHEAD = 0.15
LEAST_DELIVERIES = 1000.0
STOCK = 10_000
SETTINGS = {"TMF_CALLBACK_ALLOW": "127.0.0.0/8"}


class Sink:
    """A listener that only counts."""

    def __init__(self, url: str) -> None:
        self.url = url

    def count(self) -> int:
        return int(httpx.get(self.url, trust_env=False).text)

    def wait(self, number: int, seconds: float) -> float:
        """Wait until so many events have come; return how long that took."""
        begin = time.perf_counter()
        while self.count() < number:
            if time.perf_counter() - begin > seconds:
                raise SystemExit(f"{self.count()} of {number} events in {seconds} s")
            time.sleep(0.05)
        return time.perf_counter() - begin


@contextmanager
def sink() -> Iterator[Sink]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.sink", str(port)])
    url = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(100):
            try:
                httpx.get(url, trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield Sink(url)
    finally:
        process.terminate()
        process.wait()


def register(server: Server, url: str) -> str:
    answer = httpx.post(f"{server.base_url}/hub", json={"callback": url}, trust_env=False)
    answer.raise_for_status()
    return str(answer.headers["location"])


def overhead(without: Server, listened: Server, seconds: float, rounds: int) -> float:
    """Return what part of the POSTs a listener costs, the median of turns."""
    rates: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(rounds):
        for name, server in (("without", without), ("with", listened)):
            url = f"{server.base_url}/partyInteraction"
            rates[name].append(measure("POST", url, 201, BODY, seconds))
    plain, told = (statistics.median(rates[name]) for name in ("without", "with"))
    print(f"POST a second: {plain:.0f} without a listener, {told:.0f} with one", end="")
    print(f" ({100 * (1 - told / plain):.0f} % less)")
    return 1 - told / plain


def deliveries(spec: Path, store: str, target: Sink, seconds: float) -> float:
    """Return the deliveries a second while a stock of events is told and writes go on.

    The stock is written by a server that does not deliver: one that does keeps up with writes.
    Those that go on come over two connections, which leave the cores some time to deliver in.
    """
    with running_server(spec, store=store, env=SETTINGS | {"TMF_DELIVERY": "off"}) as server:
        register(server, target.url)
        stock = 0.0
        while stock < STOCK:
            stock += measure("POST", f"{server.base_url}/partyInteraction", 201, BODY, 2.0) * 2.0
    with running_server(spec, store=store, env=SETTINGS) as server, ThreadPoolExecutor(1) as pool:
        url, before = f"{server.base_url}/partyInteraction", target.count()
        target.wait(before + 1, seconds=30)  # the delivery process has begun
        writing = pool.submit(measure, "POST", url, 201, BODY, seconds, connections=2)
        before, begin = target.count(), time.perf_counter()
        while not writing.done() and target.count() - before < stock:
            time.sleep(0.05)
        spent = time.perf_counter() - begin
        rate = (target.count() - before) / spent
        print(f"{rate:.0f} deliveries a second, with {writing.result():.0f} writes a second")
    return rate


def main() -> int:
    """Measure, print, and fail when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    spec = OPENAPI_FOLDER / "tmf683-v4.0.0.yaml"
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},", end=""
    )
    print(f" {date.today()}; one worker, {CONNECTIONS} connections")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(sink())
        without, listened = (
            stack.enter_context(
                running_server(spec, store=f"sqlite:///{folder}/{name}.db", env=SETTINGS)
            )
            for name in ("without", "with")
        )
        register(listened, target.url)
        lost = overhead(without, listened, options.seconds, options.rounds)
        rate = deliveries(spec, f"sqlite:///{folder}/stock.db", target, 2 * options.seconds)
    return int(lost > MOST_OVERHEAD or rate < LEAST_DELIVERIES)


if __name__ == "__main__":
    sys.exit(main())
