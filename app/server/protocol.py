"""The HTTP protocol of a connection: uvicorn's, with bounds on headers and a graceful end.

A client has a bounded time to send a request's headers, and a bounded number of bytes for them.
When the worker is to stop, a connection is not cut while a client may be sending on it: its next
answer says `Connection: close`, and one on which nothing comes is closed a little later. Clients
that have connected already, and whom nobody has taken up yet, are answered too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import httptools
import orjson
from uvicorn import Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server.write_coalescing import AnswerTransport

DRAIN_SECONDS = 3.0
"""How long a connection without a request stays open once the worker is to stop."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """A request that offers to go on in another protocol (`Upgrade`), or asks for a tunnel."""

    method: bytes
    version: bytes

    def head(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Return the request line and headers without the offer."""
        lines = [b"%b %b HTTP/%b" % (self.method, target, self.version)]
        lines += [b"%b: %b" % header for header in headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])


class BoundedConnection(HttpToolsProtocol):
    """One connection; the bounds are the same for all of a process."""

    header_bytes: ClassVar[int] = 32 * 1024
    header_seconds: ClassVar[float] = 10.0
    stopping: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._late: asyncio.TimerHandle | None = None
        self._in_headers = True
        self._read = self._partial = 0
        self._offer: _Offer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the first request is awaited."""
        super().connection_made(AnswerTransport(transport, self.loop))  # type: ignore[arg-type]
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._in_headers = False
        self._watch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came in; time runs while headers are not complete."""
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._in_headers:
            self._partial += len(data)  # the parser tells of whole headers alone
            if self._partial > self.header_bytes and not self.transport.is_closing():
                self._read = self._partial
                self.send_400_response("headers too large")
        if self._in_headers or self._late is not None:
            self._watch()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_headers = True
        self._read = self._partial = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to handle the request."""
        self._in_headers = False
        self._offer = None
        if self.parser.should_upgrade():
            self._offer = _Offer(self.parser.get_method(), self.parser.get_http_version().encode())
            return  # `_parse` begins the request again, without the offer
        super().on_headers_complete()
        if self.stopping and self.cycle is not None:
            self.cycle.keep_alive = False  # its answer says so

    def on_message_complete(self) -> None:
        """End the request's body."""
        if self._offer is None:
            super().on_message_complete()

    def _parse(self, data: bytes) -> None:
        """Parse what arrived, as if nobody had offered another protocol (RFC 9110 §7.8).

        The parser stops behind the headers of a request that offers one and takes all that follows
        for that protocol. The body is still the request's (RFC 9112 §6.3): a new parser gets the
        same headers without the offer, and then the rest.
        """
        view = memoryview(data)
        try:
            while True:
                try:
                    self.parser.feed_data(view)
                    return
                except httptools.HttpParserUpgrade as stopped:
                    if self._offer is None or self._offer.method == b"CONNECT":
                        self._refuse(
                            "501 Not Implemented",
                            "notImplemented",
                            "The server does not implement this method.",
                            "CONNECT asks for a tunnel, and this server is no proxy",
                        )
                        return
                    view = view[stopped.args[0] :]
                    head = self._offer.head(self.url, self.headers)
                    self.parser = httptools.HttpRequestParser(self)
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                    self.parser.feed_data(head)
        except httptools.HttpParserError:
            self.send_400_response("invalid HTTP")

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP, or whose headers are too large, and close."""
        if self._read > self.header_bytes:
            self._refuse(
                "431 Request Header Fields Too Large",
                "headersTooLarge",
                "The request's headers are too large.",
                f"target and headers may have {self.header_bytes} bytes",
            )
        else:
            self._refuse(
                "400 Bad Request",
                "malformedRequest",
                "The request is not HTTP.",
                "it breaks the syntax of HTTP/1.1",
            )

    def _refuse(self, line: str, code: str, reason: str, message: str) -> None:
        error = {"code": code, "reason": reason, "message": message, "status": line[:3]}
        content = orjson.dumps({**error, "@type": "Error"})
        head = f"HTTP/1.1 {line}\r\ncontent-type: application/json\r\nconnection: close\r\n"
        head += f"content-length: {len(content)}\r\n\r\n"
        self.transport.write(head.encode() + content)
        self.transport.close()

    def shutdown(self) -> None:
        """Let the connection end with its next answer, or soon."""
        type(self).stopping = True
        if self._is_idle():
            self.loop.call_later(DRAIN_SECONDS, self._close_if_idle)
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def _count(self, length: int) -> None:
        self._read += length
        if self._read > self.header_bytes:
            raise ValueError("headers too large")  # the parser stops, and a 431 is sent

    def _watch(self) -> None:
        """Let the time for headers run, or stop it."""
        if self._in_headers and self._late is None:
            self._late = self.loop.call_later(self.header_seconds, self.transport.close)
        elif not self._in_headers and self._late is not None:
            self._late.cancel()
            self._late = None

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self.transport.close()


class PoliteServer(Server):
    """uvicorn's server, which takes up whoever waits before it closes its listening sockets.

    The kernel resets what is in a listening socket's queue when its last owner closes it.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, once everybody who had connected is answered."""
        waiting = list(_taken_up(sockets or ()))
        for server in self.servers:
            server.close()  # at once: who connects from here on is refused
        for each in sockets or ():
            each.close()
        BoundedConnection.stopping = True
        loop = asyncio.get_running_loop()
        for each in waiting:
            await loop.connect_accepted_socket(self._connection, each)
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        return BoundedConnection(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _taken_up(listening: Sequence[socket.socket]) -> Iterator[socket.socket]:
    """Accept the connections that wait on sockets which do not block."""
    for each in listening:
        while True:
            try:
                connection, _ = each.accept()
            except ConnectionAbortedError:
                continue  # this one is gone again
            except OSError:
                break  # nobody waits, or there is no room for more
            connection.setblocking(False)
            yield connection
