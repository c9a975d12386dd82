"""`make bench-latency`: how long requests take while the server is at a part of its capacity.

Four fifths are reads (by id, lists, lists of a party), one fifth writes. The capacity is what some
connections that wait for each answer get. Then requests are sent at a constant rate, whether or not
those before them are answered, and each is timed from when it was due: a pause of the server counts
for all requests that fell into it. What is created belongs to many other parties, so that each list
of a party stays as long as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import deque
from typing import cast
from urllib.parse import urlsplit

import httpx
import uvloop

from app.settings import OPENAPI_FOLDER
from tests.bench.interactions import interaction
from tests.server import Server, running_server

STORED = 2_000
CREATED = 1_000_000
"""As many interactions would belong to the parties of those that are created."""
KEPT = 500
CONNECTIONS = 8
MOST_CONNECTIONS = 200
MOST_TIMES_MEDIAN = 10
SLOWEST_MS = 250
PER_THOUSAND = {"get": 400, "list": 200, "party": 200, "post": 100, "patch": 100}


class Connection(asyncio.Protocol):
    """One connection; `ask` sends a request and returns once its answer is there."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length or 0):
            status, self._buffer = int(head[9:12]), b""
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"connection lost: {error}"))

    async def ask(self, request: bytes) -> int:
        """Return the status of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


class Load:
    """The requests, and how long each took."""

    def __init__(self, server: Server, ids: list[str]) -> None:
        url = urlsplit(f"{server.base_url}/partyInteraction")
        self._host, self._port, self._path = url.hostname or "", url.port or 80, url.path
        self._ids = ids
        self._chance = random.Random(7)
        self._kinds, self._weights = list(PER_THOUSAND), list(PER_THOUSAND.values())
        self.seconds: list[float] = []
        self.refused = 0
        self._idle: deque[Connection] = deque()
        self._opened = 0
        self._freed = asyncio.Event()

    def _request(self) -> bytes:
        (kind,) = self._chance.choices(self._kinds, self._weights)
        number = self._chance.randrange(STORED)
        path, body = self._path, b""
        method = {"post": "POST", "patch": "PATCH"}.get(kind, "GET")
        if kind in ("get", "patch"):
            path += f"/{self._chance.choice(self._ids)}"
        elif kind == "list":
            path += "?limit=10"
        elif kind == "party":
            path += f"?relatedParty.id=party-{number % (STORED // 20)}&status=opened&limit=10"
        if kind == "post":
            body = _body(number, CREATED)
        elif kind == "patch":
            body = json.dumps({"description": f"changed {number}"}).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body

    async def _lent(self) -> Connection:
        while not self._idle:
            if self._opened < MOST_CONNECTIONS:
                self._opened += 1
                loop = asyncio.get_running_loop()
                _, made = await loop.create_connection(Connection, self._host, self._port)
                return made
            self._freed.clear()
            await self._freed.wait()
        return self._idle.pop()

    async def _one(self, due: float) -> None:
        connection = await self._lent()
        status = await connection.ask(self._request())
        self.seconds.append(time.perf_counter() - due)
        self.refused += status >= 400
        self._idle.append(connection)
        self._freed.set()

    async def capacity(self, seconds: float) -> float:
        """Return the requests a second that connections get which wait for each answer."""
        end = time.perf_counter() + seconds

        async def client() -> None:
            while time.perf_counter() < end:
                await self._one(time.perf_counter())

        begun, before = time.perf_counter(), len(self.seconds)
        await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
        return (len(self.seconds) - before) / (time.perf_counter() - begun)

    async def at(self, rate: float, seconds: float) -> None:
        """Send so many requests a second."""
        self.seconds.clear()
        begun, tasks = time.perf_counter(), set()
        for number in range(round(rate * seconds)):
            due = begun + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._one(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    def close(self) -> None:
        for each in self._idle:
            each.close()


def _body(number: int, total: int) -> bytes:
    made = interaction(number, total)
    return json.dumps({name: made[name] for name in made if name != "id"}).encode()


def fill(server: Server) -> list[str]:
    """Store interactions, and return the ids of some."""
    ids = []
    with httpx.Client(trust_env=False, headers={"Content-Type": "application/json"}) as client:
        for number in range(STORED):
            answer = client.post(
                f"{server.base_url}/partyInteraction", content=_body(number, STORED)
            )
            ids.append(answer.raise_for_status().json()["id"])
    return ids[:KEPT]


async def measure(server: Server, ids: list[str], part: float, seconds: float) -> bool:
    load = Load(server, ids)
    await load.capacity(2)
    capacity = await load.capacity(10)
    await load.at(capacity * part, seconds)
    took = sorted(each * 1000 for each in load.seconds)
    load.close()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    slow = sum(each > SLOWEST_MS for each in took)
    print(f"capacity {capacity:,.0f} requests a second; {len(took):,} at {part:.0%} of it")
    print(
        f"p50 {p50:.2f} ms, p90 {took[len(took) * 9 // 10]:.2f}, p99 {p99:.2f}, most {took[-1]:.1f}"
    )
    print(f"p99 is {p99 / p50:.1f} times p50; {slow} took more than {SLOWEST_MS} ms")
    print(f"{load.refused} were refused")
    return not load.refused and not slow and p99 < MOST_TIMES_MEDIAN * p50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--part", type=float, default=0.7, help="of the capacity")
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    spec = OPENAPI_FOLDER / "tmf683-v4.0.0.yaml"
    with running_server(spec, workers=chosen.workers) as server:
        ids = fill(server)
        good = uvloop.run(measure(server, ids, chosen.part, chosen.seconds))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
