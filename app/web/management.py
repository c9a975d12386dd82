"""What operators and their machines ask: health and metrics, on the API's port or their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from app.events.outbound.backlog import BacklogReader
from app.observability.metrics import Metrics
from storage import Store, StoreError

_log = logging.getLogger("tmf683.health")

_PATHS = ("/health/live", "/health/ready", "/metrics")


def managed_paths(root_path: str) -> Mapping[str, str]:
    """Return what is served at each path for operators: below the root path, and without it."""
    return {root + path: path for root in ("", root_path) for path in _PATHS}


class Management:
    """Answers `/health/live`, `/health/ready` and `/metrics`, and passes on everything else.

    `paths` are those of `managed_paths`. With a `port` of its own, metrics are served there
    alone, and nothing else is. `guard` raises for who may not read the metrics.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        store: Store,
        metrics: Metrics,
        missing: Callable[[], int],
        most_pending: int,
        port: int,
        paths: Mapping[str, str],
        guard: Callable[[Scope], Awaitable[None]],
    ) -> None:
        self._app = app
        self._store = store
        self._metrics = metrics
        self._missing = missing
        self._most_pending = most_pending
        self._port = port
        self._paths = paths
        self._guard = guard
        self._backlog = BacklogReader(store)

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
            await _answer(send, scope, 405 if served else 404, b"{}")
        elif path == "/metrics":
            if not own:
                await self._guard(scope)
            await self._answer_metrics(scope, send)
        elif path == "/health/live":
            await _answer(send, scope, 200, b'{"status":"live"}')
        else:
            status, checks = await asyncio.to_thread(self.ready)
            await _answer(send, scope, status, orjson.dumps(checks))

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Return 200 when requests can be served, else 503, and what was looked at."""
        try:
            self._store.ping()
            missing = self._missing()
            backlog = self._backlog.read()
        except StoreError as error:
            _log.warning("not ready: %s", error)
            return 503, {"status": "unavailable", "checks": {"store": "unavailable"}}
        late = 0 < self._most_pending < backlog.pending
        checks = {
            "store": "ready",
            "migrations": "ready" if not missing else f"{missing} indexes are being made",
            "delivery": "late" if late else "ready",
        }
        told = {"pending": backlog.pending, "parked": backlog.parked}
        status = "unavailable" if late else "ready"
        return 503 if late else 200, {"status": status, "checks": checks, "events": told}

    async def _answer_metrics(self, scope: Scope, send: Send) -> None:
        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        content, kind = await asyncio.to_thread(self._text, accept.decode("latin-1"))
        await _answer(send, scope, 200, content, kind)

    def _text(self, accept: str) -> tuple[bytes, str]:
        try:
            return self._metrics.text(accept, self._backlog.read(), self._missing())
        except StoreError:
            return self._metrics.text(accept, None)


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
