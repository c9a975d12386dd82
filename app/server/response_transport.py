"""Response transport: a connection's, whose end the protocol decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class ResponseTransport:
    """The transport that uvicorn writes responses to; `end` closes it after the last of them."""

    __slots__ = ("_end", "_transport", "ended", "get_extra_info")

    def __init__(
        self, transport: asyncio.Transport, end: Callable[[asyncio.Transport], None]
    ) -> None:
        self._transport = transport
        self._end = end
        self.ended = False
        self.get_extra_info = transport.get_extra_info

    def __getattr__(self, name: str) -> Any:
        """Return the inner transport's attribute."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, unless the connection is gone: uvloop raises then, where asyncio ignores it."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether the connection is closed, or will be without another response."""
        return self.ended or self._transport.is_closing()

    def close(self) -> None:
        """End the connection after what was written."""
        if not self.ended:
            self.ended = True
            self._end(self._transport)
