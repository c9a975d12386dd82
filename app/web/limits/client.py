"""Clients: whom limits count requests for."""

from __future__ import annotations

from starlette.types import Scope

from app.observability.request_record import record_of


class ClientNames:
    """Names the client of a request: the authenticated caller, else its address.

    `forwarded` says that a proxy in front names the address in `X-Forwarded-For`, last.
    """

    def __init__(self, *, forwarded: bool) -> None:
        self._forwarded = forwarded

    def of(self, scope: Scope) -> str:
        """Return the name of a request's client."""
        identity = record_of(scope).identity
        if identity is not None:
            return identity.name
        if self._forwarded:
            stated = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            if stated:
                return bytes(stated[-1]).decode("latin-1").rpartition(",")[2].strip()
        return str((scope.get("client") or ("",))[0])
