"""Metrics: counts and times of all processes of a server, read in one place (OpenMetrics 1.0).

Each process writes its numbers to files in a shared folder; the process that answers `/metrics`
adds them up, those of ended processes included. Labels have few values (operations, statuses,
rules, codes), never a path, an id or a caller.

The numbers of requests and of calls to the store are written once a second, or when this process
is asked for them.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from app.observability.observation_batch import ObservationBatch

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram
    from prometheus_client.metrics_core import Metric

TESTED = {"prometheus-client": "0.26"}
"""The minor release whose internals are used: `values.MultiProcessValue`, `values.ValueClass`, and
of `Histogram` the bounds, buckets and sum (`observation_batch`)."""

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_STORE_SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0)
_FLUSH_SECONDS = 1.0
OPEN_METRICS = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What event delivery has yet to do, and who does it.

    `pending` is how many events of the log the subscription that is furthest behind has yet to
    receive, a suspended one included; `waiting` and `parked` count failed deliveries, `suspended`
    subscriptions. `workers` is how many delivery workers live, `seen_at` when the latest of them
    gave a sign of life, `worked_at` when one last attempted a delivery (seconds since 1970, 0 for
    never), and `restarts` how often they were started again after they had died.
    """

    pending: int = 0
    waiting: int = 0
    parked: int = 0
    suspended: int = 0
    workers: int = 0
    seen_at: float = 0.0
    worked_at: float = 0.0
    restarts: int = 0


def share_metrics() -> Path:
    """Make the folder in which this process and its children count; they find it by environment.

    It must be there before the first metric is.
    """
    folder = Path(tempfile.mkdtemp(prefix="tmf683-metrics-"))
    os.environ[_FOLDER] = str(folder)
    return folder


def forget_metrics(folder: Path) -> None:
    """Remove the folder once no process counts any more."""
    rmtree(folder, ignore_errors=True)


class _ProcessId:
    """The id of this process, known without a system call for every number; a fork renews it."""

    def __init__(self) -> None:
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def __call__(self) -> int:
        return self._id

    def _renew(self) -> None:
        self._id = os.getpid()


_process_id = _ProcessId()


class Metrics:
    """The numbers of one process; between `start` and `stop` they are written in batches."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, values

        if _FOLDER in os.environ:
            shared = values.MultiProcessValue(_process_id)  # type: ignore[no-untyped-call]
            values.ValueClass = shared
        registry = CollectorRegistry()
        self._registry = registry
        self._requests = Counter(
            "tmf_http_requests",
            "Requests answered, by operation of a contract and status.",
            ("operation", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "tmf_http_request_duration_seconds",
            "Time from a request's headers to the last of its answer.",
            ("operation",),
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self._refusals = Counter(
            "tmf_refusals",
            "Requests answered with an error, by its code.",
            ("code",),
            registry=registry,
        )
        self._violations = Counter(
            "tmf_validation_failures",
            "Rules of contracts that request bodies broke, by the rule's name.",
            ("rule",),
            registry=registry,
        )
        self._store_seconds = Histogram(
            "tmf_store_duration_seconds",
            "Time of calls to the store.",
            ("method",),
            buckets=_STORE_SECONDS,
            registry=registry,
        )
        self._delivered = Counter(
            "tmf_events_delivered", "Events that a listener took.", registry=registry
        )
        self._failed = Counter(
            "tmf_events_failed", "Attempts to send an event that failed.", registry=registry
        )
        self._transitions = Counter(
            "tmf_delivery_transitions",
            "Deliveries that were parked; subscriptions that were suspended, resumed, recovered.",
            ("transition",),
            registry=registry,
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._methods: dict[str, Histogram] = {}
        self._batch = ObservationBatch()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Write in batches from now on, as long as the running event loop runs."""
        loop = asyncio.get_running_loop()

        def flush() -> None:
            self._batch.flush()
            self._timer = loop.call_later(_FLUSH_SECONDS, flush)

        flush()

    def stop(self) -> None:
        """Write what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._batch.flush()

    def request(self, operation: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        children = self._known.get((operation, status))
        if children is None:
            children = self._known[operation, status] = (
                self._requests.labels(operation, str(status)),
                self._request_seconds.labels(operation),
            )
        self._observe(*children, seconds)

    def refusal(self, code: str, keywords: Iterable[str]) -> None:
        """Count an answer that is an error, and the rules that were broken."""
        self._refusals.labels(code).inc()
        for keyword in keywords:
            self._violations.labels(keyword or "other").inc()

    def store(self, method: str, seconds: float) -> None:
        """Count a call to the store."""
        child = self._methods.get(method)
        if child is None:
            child = self._methods[method] = self._store_seconds.labels(method)
        self._observe(None, child, seconds)

    def _observe(self, counter: Counter | None, histogram: Histogram, seconds: float) -> None:
        self._batch.add(counter, histogram, seconds)
        if self._timer is None:
            self._batch.flush()

    def delivery(self, *, delivered: bool) -> None:
        """Count an attempt to deliver."""
        (self._delivered if delivered else self._failed).inc()

    def delivery_transition(self, transition: str) -> None:
        """Count a delivery that was parked, or a subscription that changed its state."""
        self._transitions.labels(transition).inc()

    def serve(self, host: str, port: int) -> None:
        """Answer with what this process counts, on a port of its own, from a thread."""
        from prometheus_client import start_http_server

        start_http_server(port, host, registry=self._registry)

    def text(self, accept: str, backlog: Backlog | None, missing: int = 0) -> tuple[bytes, str]:
        """Return all metrics and their media type, which `Accept` selects.

        `missing` is the number of missing indexes. `backlog` is None when the store does not
        answer: then `tmf_store_up` is 0, and what would be read from the store is left out.
        """
        from prometheus_client import CollectorRegistry, exposition
        from prometheus_client.multiprocess import MultiProcessCollector
        from prometheus_client.openmetrics import exposition as open_metrics

        self._batch.flush()
        registry: CollectorRegistry = self._registry
        if _FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry = _with_store_gauges(registry, backlog, missing)
        if OPEN_METRICS in accept:
            content: bytes = open_metrics.generate_latest(registry)  # type: ignore[no-untyped-call]
            return content, open_metrics.CONTENT_TYPE_LATEST
        return exposition.generate_latest(registry), exposition.CONTENT_TYPE_LATEST


def _with_store_gauges(
    registry: CollectorRegistry, backlog: Backlog | None, missing: int
) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import GaugeMetricFamily
    from prometheus_client.registry import Collector

    gauges = {"tmf_store_up": ("Whether the store answers: 1 or 0.", int(backlog is not None))}
    if backlog is not None:
        gauges |= {
            "tmf_store_missing_indexes": ("Indexes that are still to be built.", missing),
            "tmf_events_pending": (
                "Events that the slowest listener has yet to get.",
                backlog.pending,
            ),
            "tmf_events_waiting": ("Deliveries that failed and are tried again.", backlog.waiting),
            "tmf_events_parked": ("Deliveries that were given up.", backlog.parked),
            "tmf_subscriptions_suspended": (
                "Listeners to which nothing is sent any more.",
                backlog.suspended,
            ),
        }

    class WithGauges(Collector):
        def collect(self) -> Iterable[Metric]:
            yield from registry.collect()
            for name, (text, value) in gauges.items():
                yield GaugeMetricFamily(name, text, value=value)

    with_gauges = CollectorRegistry()
    with_gauges.register(WithGauges())
    return with_gauges
