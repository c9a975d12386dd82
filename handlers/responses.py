"""Responses of handlers: a body, a status and headers, independent of any framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Response(NamedTuple):
    """A complete response, in the order in which a Flask view may return one."""

    content: bytes
    status: int
    headers: Mapping[str, str]


def json_response(
    content: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with a JSON body."""
    return Response(
        content,
        status,
        {
            **(headers or {}),
            "Content-Type": "application/json",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-cache",
            "Content-Length": str(len(content)),
        },
    )


def empty_response(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response without a body, such as a 204 or 304."""
    return Response(b"", status, headers or {})
