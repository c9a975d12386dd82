"""The request as the contract layer hands it over: parsed and validated already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import flask

from app.tmf630.caller import Identity

ENVIRON_KEY = "tmf.request"
"""Where the WSGI environment of a contract operation carries its `OperationRequest`."""


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """What the contract layer read from a request.

    `query` is every query parameter in order, decoded; `raw_query` the query string as it came;
    `parameters` those the contract declares, as the type it declares; `body` the JSON body (None
    when there is none) and `media_type` its type without parameters. `identity` is the caller's,
    None where nobody has to say who they are; `id` is what the log calls the request.
    """

    query: tuple[tuple[str, str], ...] = ()
    raw_query: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    media_type: str = "application/json"
    identity: Identity | None = None
    id: str = ""

    def values(self, name: str) -> list[str]:
        """Return every value of a query parameter."""
        return [value for key, value in self.query if key == name]


def current() -> OperationRequest:
    """Return the request being handled."""
    request: OperationRequest = flask.request.environ[ENVIRON_KEY]
    return request


def header(name: str) -> str | None:
    """Return a header of the request being handled, None when it is absent."""
    value: str | None = flask.request.environ.get(f"HTTP_{name.upper().replace('-', '_')}")
    return value
