"""The base URL under which clients reach the server, for absolute links."""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.types import Scope

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


class BadHost(Exception):
    """The request's Host header names no host."""


class PublicUrl:
    """Finds the base URL of a request: scheme, host and prefix, without a trailing slash.

    `setting` overrides what requests say. `trust_forwarded` believes the `X-Forwarded-Proto`,
    `-Host` and `-Prefix` headers of a proxy in front: the last value of each, which it added.
    """

    def __init__(self, setting: str | None, *, trust_forwarded: bool = False) -> None:
        self._setting = setting
        self._trust_forwarded = trust_forwarded

    def of(self, scope: Scope) -> str:
        """Return the base URL for the client of a request.

        Raises:
            BadHost: the request's Host header is not a host.
        """
        if self._setting:
            return self._setting
        found = {}
        for name, value in scope["headers"]:
            if name == b"host" or (self._trust_forwarded and name.startswith(b"x-forwarded-")):
                found[name] = value.decode("latin-1").rpartition(",")[2].strip()
        host = found.get(b"x-forwarded-host") or found.get(b"host") or _server(scope)
        if not _is_host(host):
            raise BadHost("it must be a host name or address, with a port or without")
        scheme = found.get(b"x-forwarded-proto") or scope["scheme"]
        return f"{scheme}://{host}{found.get(b'x-forwarded-prefix', '')}"


def _server(scope: Scope) -> str:
    host, port = scope.get("server") or ("localhost", 80)
    return f"{host}:{port or 0}"


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None
