"""The trail of a request: what is noted of it on its way, for the log and the metrics."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import getrandbits

from starlette.types import Scope

from app.tmf630.caller import Identity

TRAIL_KEY = "tmf.trail"
"""Where the ASGI scope carries the request's `Trail`."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class Trail:
    """`request_id` is the client's, or made here; `code` and `keywords` say why it was refused.

    `identity` is the caller's, once it is proved.
    """

    request_id: str = field(default_factory=lambda: f"{getrandbits(64):016x}")
    trace_id: str = ""
    code: str = ""
    keywords: tuple[str, ...] = ()
    identity: Identity | None = None


def begin(scope: Scope) -> Trail:
    """Return the trail of a request that has just come in, and put it into its scope."""
    trail = Trail()
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            trail.request_id = value.decode()
        elif name == b"traceparent" and (found := _TRACE.fullmatch(value)):
            trail.trace_id = found[1].decode()
    scope[TRAIL_KEY] = trail
    return trail


def trail_of(scope: Scope) -> Trail:
    """Return a request's trail; a new one where nobody began it."""
    trail: Trail | None = scope.get(TRAIL_KEY)
    return trail if trail is not None else begin(scope)
