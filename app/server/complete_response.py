"""Complete responses: a head and a body that are known together, as the bytes of HTTP/1.1.

uvicorn writes a response in parts, and looks at every header with two regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
"""Bytes that a header's value cannot have (RFC 9110 §5.5); a line end would begin another."""
_WITHOUT_BODY = (204, 304)


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
