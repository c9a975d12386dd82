"""A listener that only counts, in a process of its own: POST is an event, GET asks how many."""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar, cast

import uvloop

_LENGTH = b"content-length: "


class Sink(asyncio.Protocol):
    """Answers 204 to every event."""

    count: ClassVar[int] = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (head := self._buffer.find(b"\r\n\r\n")) >= 0:
            start = self._buffer[:head].lower().find(_LENGTH)
            length = 0
            if start >= 0:
                length = int(self._buffer[start + len(_LENGTH) :].split(b"\r", 1)[0])
            if len(self._buffer) < head + 4 + length:
                return
            asks = self._buffer.startswith(b"GET")
            self._buffer = self._buffer[head + 4 + length :]
            if asks:
                body = str(Sink.count).encode()
                head_of = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                self._transport.write(head_of + body)
            else:
                Sink.count += 1
                self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
