"""Traces by OpenTelemetry: imported only where an `OTEL_*` variable asks for them.

A span for each request, each call to the store and each delivery. The request's own `traceparent`
is replaced by that of its span, so what it causes, events included, continues its trace (W3C Trace
Context).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
)
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

_SPAN = "tmf.span"
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans and hands them to the exporter that the environment names."""

    def __init__(self, exporter: str) -> None:
        # The SDK reads the rest of OTEL_* itself: resource, sampler, batches, endpoint, headers.
        provider = TracerProvider(resource=Resource.create({"service.name": "tmf683"}))
        provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
        self._provider = provider
        self._tracer = provider.get_tracer("tmf683")

    def close(self) -> None:
        """Export what is left."""
        self._provider.shutdown()

    def begin(self, scope: Scope) -> None:
        """Begin the span of a request, and put it into the request's `traceparent`."""
        carried = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        parent = _PROPAGATOR.extract(carried)
        span = self._tracer.start_span(scope["method"], parent, kind=SpanKind.SERVER)
        scope[_SPAN] = span
        own = traceparent_of(span).encode()
        kept = [pair for pair in scope["headers"] if pair[0] != b"traceparent"]
        scope["headers"] = [*kept, (b"traceparent", own)]

    def end(self, scope: Scope, operation: str, status: int) -> None:
        """End the span of a request."""
        span: trace.Span = scope[_SPAN]
        method, _, route = operation.partition(" ")
        span.update_name(operation)
        span.set_attribute("http.request.method", method)
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    @contextmanager
    def within(self, scope: Scope) -> Iterator[None]:
        """Let what happens in this thread be a part of the request."""
        token = context.attach(trace.set_span_in_context(scope[_SPAN]))
        try:
            yield
        finally:
            context.detach(token)

    def store_span(self, method: str, collection: str) -> AbstractContextManager[Any]:
        """Begin the span of a call to the store."""
        return self._tracer.start_as_current_span(
            f"store {method}",
            kind=SpanKind.CLIENT,
            attributes={"db.operation.name": method, "db.collection.name": collection},
        )

    @contextmanager
    def delivery(self, traceparent: str, type: str) -> Iterator[str]:
        """Begin the span of a delivery; gives the `traceparent` to send with it."""
        parent = _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {})
        with self._tracer.start_as_current_span(
            f"deliver {type}", parent, kind=SpanKind.PRODUCER
        ) as span:
            yield traceparent_of(span)


def traceparent_of(span: trace.Span) -> str:
    """Return a span as the header that names it."""
    carried: dict[str, str] = {}
    _PROPAGATOR.inject(carried, trace.set_span_in_context(span))
    return carried.get("traceparent", "")


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
