"""Rate limits: a bucket for each client, who is the caller where it is proved, else an address."""

from __future__ import annotations

import asyncio
import hashlib
import time

from connexion.exceptions import OAuthProblem
from starlette.types import ASGIApp, Receive, Scope, Send

from app.identity.errors import AccessMissing, NotAuthenticated
from app.observability.request_record import record_of
from app.web.limits.errors import RateLimited
from app.web.limits.token_bucket import Buckets, SharedBuckets


class Clients:
    """Takes requests from the buckets of clients.

    `forwarded` says that a proxy in front names the client in `X-Forwarded-For`, last.
    """

    def __init__(self, buckets: Buckets, *, forwarded: bool) -> None:
        self._buckets = buckets
        self._waits = isinstance(buckets, SharedBuckets)
        self._forwarded = forwarded

    async def charge(self, scope: Scope) -> None:
        """Take a request.

        Raises:
            RateLimited: the client has none left.
        """
        client = hashlib.sha256(self._name(scope).encode()).hexdigest()[:32]
        if self._waits:
            wait = await asyncio.to_thread(self._buckets.take, client, time.time())
        else:
            wait = self._buckets.take(client, time.time())
        if wait:
            raise RateLimited(wait)

    def _name(self, scope: Scope) -> str:
        identity = record_of(scope).identity
        if identity is not None:
            return identity.name
        if self._forwarded:
            stated = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            if stated:
                return bytes(stated[-1]).decode("latin-1").rpartition(",")[2].strip()
        return str((scope.get("client") or ("",))[0])


class FailedAttempts:
    """Charges the address for every request that did not prove who makes it."""

    def __init__(self, app: ASGIApp, *, clients: Clients) -> None:
        self._app = app
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            RateLimited: instead of a refusal, once there were too many of them.
        """
        try:
            await self._app(scope, receive, send)
        except (NotAuthenticated, AccessMissing, OAuthProblem):
            await self._clients.charge(scope)
            raise


class RateLimit:
    """Charges the client for every request."""

    def __init__(self, app: ASGIApp, *, clients: Clients) -> None:
        self._app = app
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            RateLimited: the client has asked too often.
        """
        if scope["type"] == "http":
            await self._clients.charge(scope)
        await self._app(scope, receive, send)
