"""Full load for minutes: prints requests, errors, latencies and memory; fails when any of it grows.

Reads, lists, filters, writes, changes, deletions and refused requests at once, on kept connections,
against the server as it is run. Memory is that of its processes, what they share counted once and
files left out: the database is mapped, and grows with every document.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import platform
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
import uvloop

from tests.bench.load import requests_per_second
from tests.conftest import OURS
from tests.http.conftest import MINIMAL
from tests.server import Server, running_server

ROUND_SECONDS = 10.0
GROWTH = 1.10
"""How much memory may grow from the end of the first fifth to the end, with `SLACK` beside it."""
SLACK = 8 * 1024 * 1024
ALLOWED = {"TMF_ACCESS_LOG": "true", "TMF_LOG_FORMAT": "json"}


@dataclass
class Visitor:
    """One client that creates, changes, reads and deletes, and times each."""

    base_url: str
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        url = httpx.URL(self.base_url)
        connection = http.client.HTTPConnection(url.host, url.port, timeout=30)
        path = f"{url.path}/partyInteraction"
        while not self.stop.is_set():
            made = json.loads(self._ask(connection, "POST", path, 201, MINIMAL))
            one = f"{path}/{made['id']}"
            self._ask(connection, "PATCH", one, 200, {"description": "changed"})
            self._ask(connection, "GET", one, 200)
            self._ask(connection, "DELETE", one, 204)
            self._ask(connection, "GET", one, 404)

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        wanted: int,
        body: object = None,
    ) -> bytes:
        begun = time.perf_counter()
        content = json.dumps(body) if body is not None else None
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content_read = answer.read()
        self.seconds.append(time.perf_counter() - begun)
        if answer.status != wanted:
            self.errors.append(f"{method} answered {answer.status}")
        return content_read


def memory_of(server: Server) -> int:
    """Return the bytes that the server's processes have, shared ones divided."""
    pids = [server.process.pid]
    for pid in pids:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pids += map(int, children)
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                total += int(line.split()[1]) * 1024
    return total


def load(server: Server) -> Iterator[tuple[str, str, int, bytes]]:
    """Yield the requests that are repeated as fast as they are answered."""
    collection = f"{server.base_url}/partyInteraction"
    made = httpx.post(collection, json=MINIMAL, trust_env=False).json()
    yield "GET", f"{collection}/{made['id']}", 200, b""
    yield "GET", f"{collection}?limit=10", 200, b""
    yield "GET", f"{collection}?direction=inbounds&sort=-creationDate&limit=5", 200, b""
    yield "POST", collection, 201, json.dumps(MINIMAL).encode()
    yield "POST", collection, 400, b'{"channel":[]}'
    yield "PATCH", f"{collection}/{made['id']}", 200, b'{"description":"again"}'


async def round_of(requests: list[tuple[str, str, int, bytes]], seconds: float) -> float:
    """Return the requests answered in a round.

    Raises:
        RuntimeError: one was answered with another status, or not at all.
    """
    rates = await asyncio.gather(
        *(
            requests_per_second(method, url, status, body, 2, seconds)
            for method, url, status, body in requests
        )
    )
    return sum(rates) * seconds


def soak(server: Server, minutes: float, most: int) -> int:
    visitor = Visitor(server.base_url)
    thread = threading.Thread(target=visitor.run)
    thread.start()
    requests, answered, memory = list(load(server)), 0.0, [memory_of(server)]
    begun = time.monotonic()
    try:
        while time.monotonic() - begun < minutes * 60 and answered < most:
            answered += uvloop.run(round_of(requests, ROUND_SECONDS))
            memory.append(memory_of(server))
            passed = time.monotonic() - begun
            mib = memory[-1] / 1024**2
            print(f"{passed:6.0f} s {answered:12,.0f} requests {mib:8.1f} MiB", flush=True)
    finally:
        visitor.stop.set()
        thread.join()
    return report(visitor, memory, answered, time.monotonic() - begun)


def report(visitor: Visitor, memory: list[int], answered: float, seconds: float) -> int:
    """Print what came out; return 1 when there were errors or memory has grown."""
    times = sorted(visitor.seconds)
    first, last = memory[max(1, len(memory) // 5)], memory[-1]
    print(f"{platform.machine()}, Python {platform.python_version()}, {date.today()}")
    print(f"requests    {answered + len(times):,.0f}, {answered / seconds:,.0f} a second")
    p50, p99 = times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000
    print(f"latency     median {p50:.1f} ms, 99 of 100 within {p99:.1f} ms, at full load")
    print(f"memory      {first / 1024**2:.1f} MiB early, {last / 1024**2:.1f} MiB at the end")
    print(f"errors      {len(visitor.errors)} {visitor.errors[:3]}")
    return int(bool(visitor.errors) or last > first * GROWTH + SLACK)


def main() -> int:
    """Run a server of its own and put it under load."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--requests", type=int, default=sys.maxsize, help="enough after so many")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with running_server(OURS, workers=options.workers, env=ALLOWED) as server:
        return soak(server, options.minutes, options.requests)


if __name__ == "__main__":
    sys.exit(main())
