"""Management endpoints: health and metrics, on the API's port or one of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.health import Health

_PATHS = ("/health/live", "/health/ready", "/metrics")


def managed_paths(root_path: str) -> Mapping[str, str]:
    """Return the management endpoint of each path: below the root path, and without it."""
    return {root + path: path for root in ("", root_path) for path in _PATHS}


class Management:
    """Answers `/health/live`, `/health/ready` and `/metrics`, and passes on everything else.

    `paths` are those of `managed_paths`. With a `port` of its own, metrics are served there
    alone, and nothing else is. `guard` raises for a caller that may not read the metrics.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        health: Health,
        port: int,
        paths: Mapping[str, str],
        guard: Callable[[Scope], Awaitable[None]],
    ) -> None:
        self._app = app
        self._health = health
        self._port = port
        self._paths = paths
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own = bool(self._port) and (scope.get("server") or ("", 0))[1] == self._port
        path = self._paths.get(scope["path"])
        served = path is not None and (own or not self._port or path != "/metrics")
        if not served and not own:
            await self._app(scope, receive, send)
        elif not served or scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405 if served else 404)
        elif path == "/metrics":
            if not own:
                await self._guard(scope)
            await self._answer_metrics(scope, send)
        elif path == "/health/live":
            await _answer(send, scope, 200, b'{"status":"live"}')
        else:
            status, checks = await asyncio.to_thread(self._health.ready)
            await _answer(send, scope, status, orjson.dumps(checks))

    async def _answer_metrics(self, scope: Scope, send: Send) -> None:
        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        content, kind = await asyncio.to_thread(self._health.metrics, accept.decode("latin-1"))
        await _answer(send, scope, 200, content, kind)


async def _answer(
    send: Send, scope: Scope, status: int, content: bytes, kind: str = "application/json"
) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        *([(b"retry-after", b"1")] if status == 503 else []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else content
    await send({"type": "http.response.body", "body": body})
