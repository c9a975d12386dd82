"""`deliver`."""

from __future__ import annotations

from pathlib import Path

import click

from app.bootstrap import limits_of, open_contracts, open_prepared_store
from app.commands.errors import plain_errors
from app.commands.settings_option import read_settings
from app.events.outbound.processes import deliver as run_delivery
from app.events.outbound.processes import delivery_worker
from app.observability.logs import configure_logs
from app.observability.metrics import Metrics
from app.observability.observed_store import ObservedStore
from app.observability.traces import open_tracing


@click.command()
@click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
@click.option("--store", help="sqlite:///file.db or mongodb://…")
@click.option("--parent", type=int, hidden=True)
@click.option("--restarts", type=int, default=0, hidden=True)
def deliver(spec: tuple[Path, ...], store: str | None, parent: int | None, restarts: int) -> None:
    """Deliver events to their listeners; any number of these may run on one store.

    TMF_MANAGEMENT_PORT is where its metrics are served.
    """
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        configure_logs(settings)
        contracts, tracing, metrics = open_contracts(settings), open_tracing(), Metrics()
        opened = open_prepared_store(settings, contracts)
        watched = ObservedStore(
            opened,
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
                watched,
                limits_of(settings),
                metrics=metrics,
                tracing=tracing,
                restarts=restarts,
            )
            run_delivery(worker, parent=parent)
        finally:
            opened.close()
            if tracing is not None:
                tracing.close()
