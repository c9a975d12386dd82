"""Responses to requests that are not handed to the application."""

from __future__ import annotations

from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response to a request that is not handed to the application."""

    status: str
    code: str
    reason: str
    message: str

    def response(self) -> bytes:
        """Return the response: a TMF Error that closes the connection."""
        error = {"code": self.code, "reason": self.reason, "message": self.message}
        content = orjson.dumps({**error, "status": self.status[:3], "@type": "Error"})
        head = f"HTTP/1.1 {self.status}\r\ncontent-type: application/json\r\nconnection: close\r\n"
        if self.status.startswith("503"):
            head += "retry-after: 1\r\n"
        return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


def _bad_request(code: str, reason: str, message: str) -> Refusal:
    return Refusal("400 Bad Request", code, reason, message)


MALFORMED = _bad_request(
    "malformedRequest", "The request is not HTTP.", "it breaks the syntax of HTTP/1.1"
)
BAD_TARGET = _bad_request(
    "invalidTarget",
    "The request's target is not valid.",
    "percent-encode characters that are not ASCII, and spaces (RFC 3986 §2.1)",
)
NO_HOST = _bad_request(
    "invalidHost",
    "The Host header is not valid.",
    "an HTTP/1.1 request has exactly one Host header (RFC 9112 §3.2)",
)
TUNNEL = Refusal(
    "501 Not Implemented",
    "notImplemented",
    "The server does not implement this method.",
    "CONNECT asks for a tunnel, and this server is no proxy",
)
UNKNOWN_METHOD = Refusal(
    "501 Not Implemented",
    "notImplemented",
    "The server does not implement this method.",
    "the method of the request is not known",
)
OTHER_VERSION = Refusal(
    "505 HTTP Version Not Supported",
    "httpVersion",
    "The server does not speak this version of HTTP.",
    "it speaks HTTP/1.1, and HTTP/1.0",
)
NO_ROOM = Refusal(
    "503 Service Unavailable", "overloaded", "The server is busy.", "it has too many connections"
)


def headers_too_large(most: int) -> Refusal:
    """Return the response to a request whose target and headers have more than `most` bytes."""
    return Refusal(
        "431 Request Header Fields Too Large",
        "headersTooLarge",
        "The request's headers are too large.",
        f"target and headers may have {most} bytes",
    )
