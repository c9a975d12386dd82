"""The request context: one validated request as handlers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from app.tmf630.caller import Identity
from app.tmf630.outbox import EventOrigin
from handlers.preconditions import Preconditions
from storage.update import ATTEMPTS


class TooMuchForEventLoop(Exception):
    """The search, or what it finds, takes too long for the event loop; use a thread."""


class RequestContext(NamedTuple):
    """One request: made once at the edge of the web stack and passed down explicitly.

    `base_url` is scheme, host and prefix as the client reaches the server, without a trailing
    slash. `id` is the request's id in the log. `query` holds the values of every query
    parameter, decoded; `raw_query` is the query string as it arrived; `parameters` are those that
    the contract declares, in their declared types. `body` is the JSON body (None without one) and
    `media_type` its type without parameters. `identity` is the authenticated caller, None without
    authentication. `correlation_id` and `traceparent` are the headers of these names, for the
    events that the request causes. `strict` is `Prefer: handling=strict` (RFC 7240 §4.4).
    `parse_limit` is the number of bytes of stored documents that may be parsed where the handler
    runs; None is any number, and says that it may search for as long as queries may. `attempts` is
    how often a change is tried that others come before.
    """

    base_url: str
    id: str = ""
    query: Mapping[str, list[str]] = MappingProxyType({})
    raw_query: str = ""
    parameters: Mapping[str, Any] = MappingProxyType({})
    body: Any = None
    media_type: str = "application/json"
    identity: Identity | None = None
    preconditions: Preconditions = Preconditions()
    correlation_id: str | None = None
    traceparent: str | None = None
    strict: bool = False
    parse_limit: int | None = None
    attempts: int = ATTEMPTS

    def values(self, name: str) -> Sequence[str]:
        """Return every value of a query parameter, in order."""
        return self.query.get(name, ())

    def check_parse(self, size: int) -> None:
        """Check that documents of `size` bytes in all may be parsed where the handler runs.

        Raises:
            TooMuchForEventLoop: they may not.
        """
        if self.parse_limit is not None and size > self.parse_limit:
            raise TooMuchForEventLoop

    @property
    def parties(self) -> tuple[str, ...] | None:
        """The parties that the caller is bound to; None when it may see every resource."""
        return None if self.identity is None else self.identity.parties

    def unbound(self) -> RequestContext:
        """Return the same request of a caller that is bound to no parties."""
        if self.identity is None:
            return self
        return self._replace(identity=replace(self.identity, parties=None))

    @property
    def event_origin(self) -> EventOrigin:
        """What the events of this request say of their origin."""
        return EventOrigin(self.base_url, self.id, self.correlation_id, self.traceparent)
