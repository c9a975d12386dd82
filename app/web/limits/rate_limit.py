"""Rate limits: a token bucket for each client."""

from __future__ import annotations

import asyncio
import hashlib
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from app.identity.errors import AccessMissing, NotAuthenticated
from app.web.connexion_parts import OAuthProblem
from app.web.limits.client import ClientNames
from app.web.limits.errors import RateLimited
from app.web.limits.token_bucket import Buckets, SharedBuckets


class RateLimiter:
    """Takes requests from the buckets of clients."""

    def __init__(self, buckets: Buckets, clients: ClientNames) -> None:
        self._buckets = buckets
        self._waits = isinstance(buckets, SharedBuckets)
        self._clients = clients

    async def charge(self, scope: Scope) -> None:
        """Take a request from its client's bucket.

        Raises:
            RateLimited: the bucket is empty.
        """
        name = self._clients.of(scope)
        client = hashlib.sha256(name.encode()).hexdigest()[:32]
        if self._waits:
            wait = await asyncio.to_thread(self._buckets.take, client, time.time())
        else:
            wait = self._buckets.take(client, time.time())
        if wait:
            raise RateLimited(wait)


class FailedAttempts:
    """Charges the client for every request that fails authentication or authorization."""

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            RateLimited: in place of a refusal, after too many of them.
        """
        try:
            await self._app(scope, receive, send)
        except (NotAuthenticated, AccessMissing, OAuthProblem):
            await self._limiter.charge(scope)
            raise


class RateLimit:
    """Charges the client for every request."""

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            RateLimited: the client has sent too many requests.
        """
        if scope["type"] == "http":
            await self._limiter.charge(scope)
        await self._app(scope, receive, send)
