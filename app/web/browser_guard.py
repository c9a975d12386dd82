"""Browser guard: protects a server without authentication from web pages of other origins.

A page that a user of this machine visits can send requests to the server. A cross-site `POST`
needs no permission from the server (the Fetch standard's "simple" requests), and a page whose host
name resolves to this machine (DNS rebinding) is of the same origin as the server.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from app.identity.exposure import is_ip_address, is_loopback

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class ForeignOrigin(Exception):
    """A web page of another origin sent a request that may change something."""


class UnknownHost(Exception):
    """The request names a host that the server is not known by."""


class BrowserGuard:
    """Refuses requests of web pages that are not allowed to send them.

    `hosts` are the names that the server is known by; loopback names, IP addresses and names of one
    label (which no public domain has) always are. `origins` are the origins that may call the API
    from browsers; `*` allows every origin. `check_host` is off where a proxy or another guard in
    front is responsible for it.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Iterable[str], origins: Container[str], check_host: bool
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._origins = origins
        self._check_host = check_host
        self._is_known_host = lru_cache(maxsize=256)(self._is_known_authority)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            ForeignOrigin: it is unsafe, and a page of another origin sent it.
            UnknownHost: its host is not a name of this server.
        """
        if scope["type"] == "http":
            host = origin = fetch_site = ""
            for name, value in scope["headers"]:
                if name == b"host":
                    host = value.decode("latin-1")
                elif name == b"origin":
                    origin = value.decode("latin-1")
                elif name == b"sec-fetch-site":
                    fetch_site = value.decode("latin-1").strip().lower()
            if self._check_host and host:
                self.check(host)
            if scope["method"] not in _SAFE and (origin or fetch_site):
                self._check_origin(host, origin, fetch_site)
        await self._app(scope, receive, send)

    def check(self, host: str) -> None:
        """Check a `Host` header, with or without a port.

        Raises:
            UnknownHost
        """
        if not self._is_known_host(host):
            raise UnknownHost(
                f"{host[:80]} is not a name of this server; list it in TMF_ALLOWED_HOSTS, or set"
                " TMF_PUBLIC_URL"
            )

    def _check_origin(self, host: str, origin: str, fetch_site: str) -> None:
        if "*" in self._origins or origin in self._origins:
            return
        same = _authority(origin) == host.lower() and (
            not self._check_host or self._is_known(_name_of(origin))
        )
        if fetch_site == "cross-site" or (origin and not same):
            source = origin[:80] or "a page of another site"
            raise ForeignOrigin(f"{source} is not listed in TMF_CORS_ORIGINS")

    def _is_known_authority(self, host: str) -> bool:
        return self._is_known(_name_of(f"//{host}"))

    def _is_known(self, name: str) -> bool:
        return (
            "." not in name
            or is_loopback(name)
            or is_ip_address(name)
            or name.endswith(".localhost")
            or name in self._hosts
        )


def _name_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return "invalid."  # a bracket without its other half


def _authority(origin: str) -> str:
    return origin.partition("://")[2].lower()
