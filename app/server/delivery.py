"""Delivery as a process runs it: with a store, metrics and traces of its own."""

from __future__ import annotations

from collections.abc import Sequence

from app.bootstrap import limits_of, open_prepared_store
from app.contract import Contract
from app.events.outbound.processes import deliver, delivery_worker
from app.observability.logs import configure_logs
from app.observability.metrics import Metrics
from app.observability.observed_store import ObservedStore
from app.observability.traces import open_tracing
from app.settings import Settings


def run_delivery(
    settings: Settings,
    contracts: Sequence[Contract],
    *,
    parent: int | None = None,
    restarts: int = 0,
) -> None:
    """Deliver until SIGTERM or SIGINT, or until the server of process id `parent` is gone.

    Without a server, TMF_MANAGEMENT_PORT is where metrics are served.

    Raises:
        StoreError: the store cannot be opened.
    """
    configure_logs(settings)
    tracing, metrics = open_tracing(), Metrics()
    store = open_prepared_store(settings, contracts)
    observed = ObservedStore(
        store,
        metrics,
        tracing.store_span if tracing else None,
        slow_seconds=settings.slow_query_seconds,
    )
    if settings.management_port and parent is None:
        metrics.serve(settings.host, settings.management_port)
    try:
        worker = delivery_worker(
            settings,
            contracts,
            observed,
            limits_of(settings),
            metrics=metrics,
            tracing=tracing,
            restarts=restarts,
        )
        deliver(worker, parent=parent)
    finally:
        store.close()
        if tracing is not None:
            tracing.close()
