"""The record of a request, for the log, the metrics and the audit: completed as it is handled."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import getrandbits

from starlette.types import Scope

from app.tmf630.caller import Identity

RECORD_KEY = "tmf.record"
"""Where the ASGI scope carries the request's `RequestRecord`."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class RequestRecord:
    """What the log, the metrics and the audit say of a request.

    `request_id` is the client's `X-Request-ID`, or a new one; `trace_id` comes from `traceparent`.
    `code` and `keywords` say why the request was refused: the TMF error code, and the schema
    keywords that its body broke. `identity` is the caller once it is authenticated.
    """

    request_id: str = field(default_factory=lambda: f"{getrandbits(64):016x}")
    trace_id: str = ""
    code: str = ""
    keywords: tuple[str, ...] = ()
    identity: Identity | None = None


def begin(scope: Scope) -> RequestRecord:
    """Begin the record of a request, in its scope."""
    record = RequestRecord()
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            record.request_id = value.decode()
        elif name == b"traceparent" and (found := _TRACE.fullmatch(value)):
            record.trace_id = found[1].decode()
    scope[RECORD_KEY] = record
    return record


def record_of(scope: Scope) -> RequestRecord:
    """Return a request's record; a new one where none was begun."""
    record: RequestRecord | None = scope.get(RECORD_KEY)
    return record if record is not None else begin(scope)
