"""Response transport: writes the head of a response together with its body."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

_HEAD = b"HTTP/1.1 "


class ResponseTransport:
    """A transport that holds the head of a response until its body is written, for one loop turn.

    uvicorn writes the two separately: two system calls and two packets. `end` decides how the
    connection is closed once everything is written.
    """

    __slots__ = ("_end", "_head", "_loop", "_transport", "ended", "get_extra_info")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        end: Callable[[asyncio.Transport], None],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._end = end
        self._head = b""
        self.ended = False
        self.get_extra_info = transport.get_extra_info

    def __getattr__(self, name: str) -> Any:
        """Return the inner transport's attribute."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data, or hold it if a body should follow."""
        if self._head:
            head, self._head = self._head, b""
            self._send(head + data)
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._send(data)

    def is_closing(self) -> bool:
        """Whether the connection is closed, or will be without another response."""
        return self.ended or self._transport.is_closing()

    def close(self) -> None:
        """End the connection after what was written."""
        self._flush()
        if not self.ended:
            self.ended = True
            self._end(self._transport)

    def _flush(self) -> None:
        if self._head:
            self._send(self._head)
        self._head = b""

    def _send(self, data: bytes) -> None:
        """Write, unless the connection is gone: uvloop raises then, where asyncio ignores it."""
        if not self._transport.is_closing():
            self._transport.write(data)
