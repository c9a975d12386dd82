"""The HTTP protocol of a connection: uvicorn's, with limits, strict targets and graceful shutdown.

Of uvicorn this module and `response_cycle` rely on `HttpToolsProtocol`, `Server.shutdown`,
`RequestResponseCycle` (its attributes, and what `send` does) and `STATUS_LINE`; `TESTED` is the
release whose internals these are, and a test fails when another one is installed.

A connection always has a deadline, unless a request is being handled. When the worker stops, the
next response says `Connection: close`; an idle connection is closed a little later, and connections
that wait in the listening sockets' queues are served first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn import Server
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.observability.log_events import LogEvent, log_event
from app.server import refusals
from app.server.connections import Connections
from app.server.refusals import Refusal
from app.server.response_cycle import ResponseCycle
from app.server.response_transport import ResponseTransport

TESTED = {"uvicorn": "0.54", "httptools": "0.9"}
"""The minor releases whose internals are used."""

DRAIN_SECONDS = 3.0
"""How long an idle connection stays open once the worker is to stop."""

_VERSIONS = (b"1.0", b"1.1")

_UNREAD = 64 * 1024
"""Bytes that a client has to read within `write_seconds`."""

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++) ([^\r\n]+) HTTP/(\d\.\d)\r?\n")


class _Refused(Exception):
    """Stops the parser: the request is answered with the connection's refusal."""


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
    """One connection of a worker; `connections` are all of them, with their limits."""

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pool = connections
        self._limits = connections.limits
        self.deadline: float | None = None
        self._in_head = False
        self._begun = True  # the head of the next request has its deadline
        self._read = self._partial = 0
        self._offer: _Offer | None = None
        self._refusal: Refusal | None = None
        self._lingering = False
        self._raw: asyncio.Transport | None = None
        self._unsent = 0
        self._unsent_since = 0.0
        self._handling = False

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the first request is awaited."""
        self._raw = transport
        wrapped = ResponseTransport(transport, self._close)
        super().connection_made(wrapped)  # type: ignore[arg-type]
        self._set_deadline(self._limits.header_seconds)
        if not self._pool.add(self, self.client[0] if self.client else ""):
            self._refuse(refusals.NO_ROOM)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.deadline = None
        self._pool.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        if self._lingering or self._refusal is not None:
            return  # read and discarded, so that the client can read its response
        if self.is_idle() and not self._begun:
            self._begun = True  # line ends before a request do not give it more time
            self._set_deadline(self._limits.header_seconds)
        self._parse(data)
        if self._in_head:
            self._partial += len(data)  # the parser reports complete headers only
            if self._partial > self._limits.header_bytes:
                self._refuse(self._headers_too_large())

    def pause_writing(self) -> None:
        """Note that the client does not read as fast as responses are written."""
        super().pause_writing()
        if self._raw is not None:
            self._pool.note_unsent(self._raw.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Go on with the request that waited for the client to read."""
        super().resume_writing()
        if self.pipeline and not self._handling and not self.transport.is_closing():
            self._handle_next()

    def is_idle(self) -> bool:
        """Whether no request is being handled."""
        return self.cycle is None or self.cycle.response_complete

    def end(self) -> None:
        """Close the connection, whatever its state."""
        self.deadline = None
        if self._raw is None:
            return
        if self._lingering:
            self._raw.abort()
        else:
            self.transport.close()

    def check_reading(self, now: float) -> tuple[int, float]:
        """Abort when the client has not read enough for too long; return what is unsent, and since.

        Since when is by the loop's clock.
        """
        raw = self._raw
        if raw is None or raw.is_closing():
            return 0, now
        unsent = raw.get_write_buffer_size()
        if not unsent or unsent + _UNREAD <= self._unsent or not self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > self._limits.write_seconds:
            raw.abort()
            return 0, now
        return unsent, self._unsent_since

    def abort(self) -> None:
        """End the connection at once, whatever is still to be sent."""
        if self._raw is not None:
            self._raw.abort()

    def shutdown(self) -> None:
        """Let the connection end with its next response, or soon."""
        self._pool.stopping = True
        if self.is_idle():
            self._set_deadline(DRAIN_SECONDS)
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def _close(self, transport: asyncio.Transport) -> None:
        """Close after the last response; if the client may still send, read on for a while.

        A socket that is closed with unread data is reset, and the client may lose the response.
        """
        sending = self._refusal is not None or (self.cycle is not None and self.cycle.more_body)
        if not sending or transport.is_closing() or not transport.can_write_eof():
            transport.close()
            return
        self._lingering = True
        self._set_deadline(self._limits.linger_seconds)
        self.flow.resume_reading()
        transport.write_eof()

    def _set_deadline(self, seconds: float) -> None:
        self.deadline = self.loop.time() + seconds

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head = True
        self._read = self._partial = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; the trailers of a body mean nothing here (RFC 9110 §6.5.1)."""
        self._count(len(name) + len(value))
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to handle the request."""
        self._in_head = False
        self._offer = None
        parser = self.parser
        if parser.should_upgrade():
            self._offer = _Offer(parser.get_method(), parser.get_http_version().encode())
            return  # `_parse` begins the request again, without the offer
        version = parser.get_http_version()
        self._set_target()
        self._check_host(version)
        self.scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            self.scope["http_version"] = version
        self.deadline = None
        # A response would be made, and held, behind one that the client does not read.
        waits = not self.is_idle() or self.flow.write_paused
        self.cycle = ResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive() and not self._pool.stopping,
            on_response=self.on_response_complete,
        )
        if waits:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._handle(self.cycle, self.app)

    def on_message_complete(self) -> None:
        """End the request's body."""
        if self._offer is None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the next pipelined request, or wait for another."""
        self._handling = False
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            if not self.flow.write_paused:
                self._handle_next()
            return
        self.flow.resume_reading()
        if self._refusal is not None:
            self._write_refusal(self._refusal)
        else:
            self._begun = False
            self._set_deadline(DRAIN_SECONDS if self._pool.stopping else self._limits.keep_alive)

    def _handle(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._handling = True
        self._start_asgi_task(cycle, app)

    def _handle_next(self) -> None:
        self.flow.resume_reading()
        self._handle(*self.pipeline.pop())

    def _set_target(self) -> None:
        """Put the target into the scope; an absolute one overrides `Host` (RFC 9112 §3.2.2)."""
        url = self.url
        if not url.isascii():
            self._stop(refusals.BAD_TARGET)
        if url == b"*":
            raw_path, query = url, b""
        else:
            try:
                parsed = httptools.parse_url(url)
            except httptools.HttpParserInvalidURLError:
                self._stop(refusals.BAD_TARGET)
            raw_path, query = parsed.path or b"/", parsed.query or b""
            if parsed.host and url[:1] != b"/":
                authority = url.partition(b"://")[2]
                authority = re.split(rb"[/?#]", authority, maxsplit=1)[0]
                self.headers[:] = [each for each in self.headers if each[0] != b"host"]
                self.headers.append((b"host", authority))
        path = raw_path.decode("ascii")
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = query

    def _check_host(self, version: str) -> None:
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            self._stop(refusals.NO_HOST)

    def _count(self, length: int) -> None:
        self._read += length
        if self._read > self._limits.header_bytes:
            self._stop(self._headers_too_large())

    def _headers_too_large(self) -> Refusal:
        return refusals.headers_too_large(self._limits.header_bytes)

    # Requests that are refused

    def _parse(self, data: bytes) -> None:
        """Parse what arrived, as if no other protocol had been offered (RFC 9110 §7.8).

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
                        self._refuse(refusals.TUNNEL)
                        return
                    view = view[stopped.args[0] :]
                    head = self._offer.head(self.url, self.headers)
                    self.parser = httptools.HttpRequestParser(self)
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                    self.parser.feed_data(head)
        except httptools.HttpParserInvalidURLError:
            self._refuse(refusals.BAD_TARGET)
        except httptools.HttpParserError as error:
            self._refuse(self._refusal or _reason(error, data))

    def _stop(self, refusal: Refusal) -> None:
        """Stop the parser from one of its callbacks; `_parse` then refuses the request."""
        self._refusal = refusal
        raise _Refused

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, after the responses of requests that came before."""
        self._refusal = refusal
        self._in_head = False
        if self.is_idle():
            self._write_refusal(refusal)

    def _write_refusal(self, refusal: Refusal) -> None:
        self.transport.write(refusal.response())
        self.transport.close()


def _reason(error: httptools.HttpParserError, data: bytes) -> Refusal:
    """Return the refusal of what the parser refused."""
    line = _REQUEST_LINE.match(data.lstrip(b"\r\n"))
    if line is None:
        return refusals.MALFORMED
    method, target, version = line.groups()
    if version not in _VERSIONS:
        return refusals.OTHER_VERSION
    if b" " in target:
        return refusals.BAD_TARGET
    if method == b"PRI" or isinstance(error, httptools.HttpParserInvalidMethodError):
        return refusals.UNKNOWN_METHOD
    return refusals.MALFORMED


class GracefulServer(Server):
    """uvicorn's server, which serves waiting connections before it closes its listening sockets.

    The kernel resets the connections in a listening socket's queue when its last owner closes it.
    `ready` is called once requests are answered.
    """

    def __init__(
        self, config: Config, connections: Connections, ready: Callable[[], None] | None = None
    ) -> None:
        config.http = partial(BoundedConnection, connections=connections)  # type: ignore[assignment]
        super().__init__(config)
        self._pool = connections
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and call `ready`."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop after answering every connection that was accepted or queued."""
        log_event(
            logging.INFO,
            LogEvent.WORKER_DRAINING,
            pid=os.getpid(),
            connections=len(self.server_state.connections),
        )
        waiting = list(_accepted(sockets or ()))
        for server in self.servers:
            server.close()  # at once: new connections are refused from here on
        for each in sockets or ():
            each.close()
        self._pool.stopping = True
        loop = asyncio.get_running_loop()
        for each in waiting:
            await loop.connect_accepted_socket(self._connection, each)
        await super().shutdown(sockets)
        log_event(logging.INFO, LogEvent.WORKER_STOPPED, pid=os.getpid())

    def _connection(self) -> asyncio.Protocol:
        return BoundedConnection(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            connections=self._pool,
        )


def _accepted(listening: Sequence[socket.socket]) -> Iterator[socket.socket]:
    """Accept the connections that wait on non-blocking sockets."""
    for each in listening:
        while True:
            try:
                connection, _ = each.accept()
            except ConnectionAbortedError:
                continue  # this one is gone again
            except OSError:
                break  # none waits, or there is no room for more
            connection.setblocking(False)
            yield connection
