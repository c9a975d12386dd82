"""Answers as Flask responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from werkzeug.datastructures import Headers


class PlainResponse(Response):
    """A response whose headers go out as they were set.

    werkzeug would parse and encode `Location` anew for every response; ours are absolute and
    encoded from the start.
    """

    def get_wsgi_headers(self, environ: Any) -> Headers:
        """Return the headers."""
        return self.headers


def json_response(
    content: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with a JSON body."""
    return PlainResponse(
        [content],
        status,
        {
            **(headers or {}),
            "Content-Type": "application/json",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-cache",
            "Content-Length": str(len(content)),
        },
        direct_passthrough=True,  # it is bytes, and nothing has to be closed
    )


def empty_response(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response without a body, such as a 204 or 304."""
    response = PlainResponse(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response
