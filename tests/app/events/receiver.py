"""A listener in a process of its own thread: notes what it gets, answers as it is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.server import eventually


@dataclass(frozen=True)
class Got:
    """One request: when it came, its path, headers (lower case) and body."""

    at: float
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed


Answer = Callable[[asyncio.StreamWriter, Got], Awaitable[None]]


async def accept(writer: asyncio.StreamWriter, got: Got) -> None:
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def status(line: str, headers: str = "", body: bytes = b"") -> Answer:
    """Return an answer of this status, headers each ending in a line break."""

    async def answer(writer: asyncio.StreamWriter, got: Got) -> None:
        head = f"HTTP/1.1 {line}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        writer.write(head.encode() + body)

    return answer


@dataclass
class Receiver:
    """What has come so far; `answer` decides about the next request."""

    answer: Answer = accept
    got: list[Got] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/events") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, path: str) -> list[Got]:
        return [each for each in self.got if each.path == path]

    def wait(self, wanted: Callable[[], bool], seconds: float = 60.0) -> bool:
        """Wait until something is so; return whether it came to be."""
        return eventually(wanted, seconds)


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Listen on a port, a free one for 0, until the block ends."""
    receiver = Receiver()
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                headers = {}
                for line in lines[1:-2]:
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                got = Got(time.time(), lines[0].split(" ")[1], headers, raw)
                receiver.got.append(got)
                await receiver.answer(writer, got)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", port, reuse_address=True)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
