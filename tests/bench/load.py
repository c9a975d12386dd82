"""A load generator: keeps a few connections busy with one prepared request.

It only counts answers (and refuses any but the expected status), so that on two cores the server
is what is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """Sends the request, waits for the whole answer, sends it again until the time is up."""

    def __init__(self, request: bytes, expected: bytes, end: float) -> None:
        self._request, self._expected, self._end = request, expected, end
        self._buffer = b""
        self.answers = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head)
        if length is None and not self._buffer.endswith(b"0\r\n\r\n"):
            return  # in chunks, as a2wsgi sends them
        if length is not None and len(self._buffer) < head + 4 + int(length[1]):
            return
        if self._buffer[9:12] != self._expected:
            self._fail(f"unexpected answer: {self._buffer[:300]!r}")
            return
        self._buffer = b""
        self.answers += 1
        if time.perf_counter() < self._end:
            self._transport.write(self._request)
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"connection lost: {error}")

    def _fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(reason))


async def requests_per_second(
    method: str, url: str, status: int, body: bytes, connections: int, seconds: float
) -> float:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Accept: application/json"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    request = "\r\n".join([*lines, "", ""]).encode() + body
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    opened = [
        await loop.create_connection(
            lambda: Connection(request, str(status).encode(), start + seconds),
            parts.hostname,
            parts.port,
        )
        for _ in range(connections)
    ]
    answered = asyncio.gather(*(protocol.done for _, protocol in opened))
    await asyncio.wait_for(answered, seconds + 30)
    return sum(protocol.answers for _, protocol in opened) / (time.perf_counter() - start)


if __name__ == "__main__":
    method, url, status, connections, seconds = sys.argv[1:]
    rate = uvloop.run(
        requests_per_second(
            method, url, int(status), sys.stdin.buffer.read(), int(connections), float(seconds)
        )
    )
    print(json.dumps(rate))
