"""Request observability, the outermost middleware: request ids, metrics, traces, access log."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.access_log import AccessLog
from app.observability.metrics import Metrics
from app.observability.request_record import RequestRecord, begin
from app.web.connexion_parts import operation_of

if TYPE_CHECKING:
    from app.observability.tracing import Tracing


OTHER = "other"
"""The operation of requests that match no operation of a contract: pages, unknown paths."""


class RequestObservability:
    """Counts, times and logs requests; `operations` names them by base path and operationId.

    Requests for the paths `managed` are not counted: probes and scrapers send them all the time.

    The log line has the request's id, trace, operation, status, milliseconds and bytes; never a
    path with ids, a query, a body or the caller.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        operations: Mapping[tuple[str, str | None], str],
        access_log: AccessLog | None,
        managed: Container[str],
        tracing: Tracing | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._operations = operations
        self._access_log = access_log
        self._managed = managed
        self._tracing = tracing
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count and log its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = self._clock()
        scope.setdefault("extensions", {})
        counted = scope["path"] not in self._managed
        if self._tracing is not None and counted:
            self._tracing.begin(scope)
        record = begin(scope)
        mark = (b"x-request-id", record.request_id.encode())
        status, length = 0, 0

        async def watched(message: Message) -> None:
            nonlocal status, length
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], mark]
            else:
                length += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if counted:
                seconds = self._clock() - begun
                self._note(scope, record, self._operation(scope, status), status, length, seconds)

    def _operation(self, scope: Scope, status: int) -> str:
        """Return the operation of a request: a label with few values."""
        routed = operation_of(scope)
        if routed is None:
            return f"GET {OTHER}" if status < 400 else OTHER
        operation = self._operations.get(routed, OTHER)
        return f"HEAD{operation[3:]}" if scope["method"] == "HEAD" else operation

    def _note(
        self,
        scope: Scope,
        record: RequestRecord,
        operation: str,
        status: int,
        length: int,
        seconds: float,
    ) -> None:
        self._metrics.request(operation, status, seconds)
        if record.code:
            self._metrics.refusal(record.code, record.keywords)
        if self._tracing is not None:
            self._tracing.end(scope, operation, status)
        if self._access_log is not None:
            fields: dict[str, Any] = {
                "request_id": record.request_id,
                "operation": operation,
                "status": status,
                "duration_ms": round(seconds * 1000, 2),
                "bytes": length,
            }
            if record.trace_id:
                fields["trace_id"] = record.trace_id
            if record.code:
                fields["code"] = record.code
            self._access_log.add(fields)
