"""`deliver`, and `events`: what operators do about deliveries."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from app.commands.errors import plain_errors
from app.contract import Kind
from app.delivery.lanes import Failed, Lanes, resume
from app.delivery.running import deliver as run_delivery
from app.delivery.running import worker_of
from app.observing.logs import configure_logs
from app.observing.metrics import Metrics
from app.observing.store import ObservedStore
from app.observing.traces import open_tracing
from app.server import limits_of, open_contracts, open_prepared_store
from app.settings import read_settings
from storage import Query, Store, Window, json

_STORE = click.option("--store", help="sqlite:///file.db or mongodb://…")
_SPEC = click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")


@click.command()
@_SPEC
@_STORE
@click.option("--parent", type=int, hidden=True)
def deliver(spec: tuple[Path, ...], store: str | None, parent: int | None) -> None:
    """Deliver events to their listeners; any number of these may run on one store.

    With TMF_MANAGEMENT_PORT its metrics are there.
    """
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        configure_logs(settings)
        contracts, tracing, metrics = open_contracts(settings), open_tracing(), Metrics()
        opened = open_prepared_store(settings, contracts)
        watched = ObservedStore(opened, metrics, tracing.store_span if tracing else None)
        if settings.management_port and parent is None:
            metrics.serve(settings.host, settings.management_port)
        try:
            worker = worker_of(
                settings, contracts, watched, limits_of(settings), metrics=metrics, tracing=tracing
            )
            run_delivery(worker, parent=parent)
        finally:
            opened.close()
            if tracing is not None:
                tracing.close()


@click.group()
def events() -> None:
    """See and mend the delivery of events."""


@events.command(name="list")
@_SPEC
@_STORE
def list_events(spec: tuple[Path, ...], store: str | None) -> None:
    """List every subscription's lane, and the deliveries that wait or were given up."""
    with _lanes(spec, store) as (opened, lanes):
        last = opened.last_event()
        for lane in lanes.all():
            state = f"suspended: {lane.suspended}" if lane.suspended else _resting(lane.rest_until)
            click.echo(f"{lane.id}  {last - lane.position} behind  {state}")
            for each in lanes.failed(lane=lane.id):
                click.echo(f"  {_line(each)}")


@events.command()
@click.argument("delivery")
@_SPEC
@_STORE
def show(delivery: str, spec: tuple[Path, ...], store: str | None) -> None:
    """Show one delivery: its event, attempts, and the last error."""
    with _lanes(spec, store) as (_, lanes):
        found = _chosen(lanes, delivery)
        click.echo(_line(found[0]))
        click.echo(json.dumps(found[0].body).decode())


@events.command()
@click.argument("delivery", required=False)
@click.option("--lane", help="Every delivery of this lane; a suspended one goes on.")
@_SPEC
@_STORE
def retry(
    delivery: str | None, lane: str | None, spec: tuple[Path, ...], store: str | None
) -> None:
    """Try again at once: one delivery, or a lane with all of its own."""
    if (delivery is None) == (lane is None):
        raise click.UsageError("name a delivery, or a --lane")
    with _lanes(spec, store) as (opened, lanes):
        found = lanes.failed(lane=lane) if lane else _chosen(lanes, delivery or "")
        for each in found:
            lanes.put(replace(each, state="waiting", attempts=0, next=0.0))
        for name in {lane} if lane else {each.lane for each in found}:
            if not resume(opened, str(name), retry_at=time.time() if found else 0.0):
                click.echo(f"tmf683: there is no lane {name}", err=True)
                sys.exit(2)
        click.echo(f"{len(found)} deliveries are tried again")


@events.command()
@click.argument("delivery", required=False)
@click.option("--parked", is_flag=True, help="Every delivery that was given up.")
@_SPEC
@_STORE
def purge(delivery: str | None, parked: bool, spec: tuple[Path, ...], store: str | None) -> None:
    """Forget a delivery, or all that were given up."""
    if (delivery is None) != parked:
        raise click.UsageError("name a delivery, or say --parked")
    with _lanes(spec, store) as (_, lanes):
        found = lanes.failed(state="parked") if parked else _chosen(lanes, delivery or "")
        for each in found:
            lanes.forget(each.id)
        click.echo(f"{len(found)} deliveries forgotten")


@events.command()
@click.option("--limit", default=20, show_default=True, help="How many, the newest first.")
@_SPEC
@_STORE
def received(limit: int, spec: tuple[Path, ...], store: str | None) -> None:
    """List the events that other systems have sent to the listeners here."""
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        contracts = open_contracts(settings)
        opened = open_prepared_store(settings, contracts)
        try:
            collections = {
                binding.listener.collection
                for contract in contracts
                for binding in contract.bindings
                if binding.kind is Kind.LISTEN and binding.listener is not None
            }
            for collection in sorted(collections):
                page = opened.find(collection, Query(window=Window(0, limit)))
                for document in page.documents:
                    kept = json.loads(document.content)
                    event = kept["event"]
                    named = event.get("eventId", "")
                    click.echo(f"{kept['receivedAt']}  {kept['listener']}  {named}")
        finally:
            opened.close()


@contextmanager
def _lanes(spec: tuple[Path, ...], store: str | None) -> Iterator[tuple[Store, Lanes]]:
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        opened = open_prepared_store(settings, open_contracts(settings))
        try:
            yield opened, Lanes(opened, "operator", settings.lease_seconds)
        finally:
            opened.close()


def _chosen(lanes: Lanes, id: str) -> list[Failed]:
    found = [each for each in lanes.failed() if id in (each.id, each.event)]
    if not found:
        click.echo(f"tmf683: no delivery {id} waits or was given up", err=True)
        sys.exit(2)
    return found


def _resting(until: float) -> str:
    left = until - time.time()
    return f"rests for {left:.0f} s" if left > 0 else "active"


def _line(failed: Failed) -> str:
    return (
        f"{failed.event}  {failed.state}  {failed.type}  {failed.resource}"
        f"  {failed.attempts} attempts, {failed.error or 'waits behind another'}"
    )
