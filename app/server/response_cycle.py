"""The cycle of a request and its response: uvicorn's, which writes most responses in one piece.

uvicorn writes a response in parts, and looks at each header with two regular expressions. What this
module relies on is listed in `app.server.protocol`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from uvicorn._types import ASGISendEvent, HTTPResponseBodyEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
"""Bytes that a header's value cannot have (RFC 9110 §5.5); a line end would begin another."""
_WITHOUT_BODY = (204, 304)


class ResponseCycle(RequestResponseCycle):
    """A request and its response; a response before the end of the body closes the connection."""

    _start: HTTPResponseStartEvent | None = None
    """The beginning of the response, until its body is there."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send a part of the response; one that comes in one part is written at once."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if self.more_body:
                self.keep_alive = False  # the rest of the body is not read
            if message["type"] == "http.response.body" and self._send_complete(start, message):
                return
            await super().send(start)
        await super().send(message)

    def _send_complete(self, start: HTTPResponseStartEvent, end: HTTPResponseBodyEvent) -> bool:
        """Send a response that consists of these two; return False where uvicorn has to."""
        if end.get("more_body") or self.disconnected or self.flow.write_paused:
            return False
        response = complete_response(
            start["status"],
            [*self.default_headers, *start.get("headers", ())],
            end.get("body", b""),
            keep_alive=self.keep_alive,
            is_head=self.scope["method"] == "HEAD",
        )
        if response is None:
            return False
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(response)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True


def complete_response(
    status: int,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    *,
    keep_alive: bool,
    is_head: bool,
) -> bytes | None:
    """Return the bytes of a response; `is_head` says that it answers `HEAD`, and has no body.

    None where the headers do not say the length of this body, or decide on the connection.

    Raises:
        ValueError: a header is not one of HTTP.
    """
    fields = dict(headers)
    if b"connection" in fields or b"transfer-encoding" in fields:
        return None
    length = fields.get(b"content-length")
    if is_head:
        body = b""
    elif length is None:
        if body or status not in _WITHOUT_BODY:
            return None
    elif length != b"%d" % len(body):
        return None
    values = b"".join([value for _, value in headers])
    if len(values.translate(None, _CONTROLS)) != len(values):
        raise ValueError("a header's value has a control character")
    lines = [b"%b%b\r\n" % (_beginning(name), value) for name, value in headers]
    if not keep_alive:
        lines.append(b"connection: close\r\n")
    return b"".join([STATUS_LINE[status], *lines, b"\r\n", body])


@lru_cache(maxsize=256)
def _beginning(name: bytes) -> bytes:
    """Return what a header's line begins with."""
    if not _NAME.fullmatch(name):
        raise ValueError("a header's name is not a token")
    return name.lower() + b": "
