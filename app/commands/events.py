"""`events`: what operators do about deliveries."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import click

from app.bootstrap import open_contracts, open_prepared_store, open_sources
from app.commands.errors import plain_errors
from app.commands.settings_option import read_settings
from app.contract import Contract, Kind
from app.events.outbound.delivery_cursors import (
    DeliveryCursor,
    DeliveryCursors,
    FailedDelivery,
    resume_cursor,
)
from app.settings import Settings
from storage import DocumentNotFound, Query, Store, Window, json

_STORE = click.option("--store", help="sqlite:///file.db or mongodb://…")
_SPEC = click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
_JSON = click.option("--json", "as_json", is_flag=True, help="A JSON object a line, for programs.")


@click.group()
def events() -> None:
    """Show and repair the delivery of events."""


@events.command(name="list")
@_JSON
@_SPEC
@_STORE
def list_events(as_json: bool, spec: tuple[Path, ...], store: str | None) -> None:
    """List every subscription, and its deliveries that wait or were parked.

    A line says how many events the subscription has yet to receive, how many retention removed
    before they were delivered, and which worker delivers them now.
    """
    with _cursors(spec, store) as (opened, cursors):
        last = opened.last_event()
        for cursor in cursors.all():
            failed = cursors.failed(cursor=cursor.id)
            behind, missed = _standing(opened, cursor, last)
            state, callback = _state(cursor), _callback(opened, cursor)
            if as_json:
                told = {
                    "subscription": cursor.id,
                    "callback": callback,
                    "behind": behind,
                    "missed": missed,
                    "holder": cursor.holder,
                    "heldUntil": cursor.held_until,
                }
                _echo_json(
                    {**told, "state": state, "deliveries": [asdict(each) for each in failed]}
                )
                continue
            lost = f"  {missed} missed" if missed else ""
            click.echo(f"{cursor.id}  {behind} behind{lost}  {callback}  {state}{_holder(cursor)}")
            for each in failed:
                click.echo(f"  {_line(each)}")


@events.command()
@click.argument("delivery")
@_SPEC
@_STORE
def show(delivery: str, spec: tuple[Path, ...], store: str | None) -> None:
    """Show a delivery, to every listener it failed for: attempts, the last error, and the event."""
    with _cursors(spec, store) as (_, cursors):
        for each in _chosen(cursors, delivery):
            click.echo(f"{_line(each)}  {each.cursor}")
            _echo_json(each.body)


@events.command()
@click.argument("delivery", required=False)
@click.option(
    "--subscription",
    "--lane",
    "cursor",
    help="Every delivery of this cursor; a suspended one goes on.",
)
@_SPEC
@_STORE
def retry(
    delivery: str | None, cursor: str | None, spec: tuple[Path, ...], store: str | None
) -> None:
    """Try again at once: one delivery, or a cursor with all of its own."""
    if (delivery is None) == (cursor is None):
        raise click.UsageError("name a delivery, or a --subscription")
    with _cursors(spec, store) as (opened, cursors):
        found = cursors.failed(cursor=cursor) if cursor else _chosen(cursors, delivery or "")
        for each in found:
            cursors.put(replace(each, state="waiting", attempts=0, next=0.0))
        for name in {cursor} if cursor else {each.cursor for each in found}:
            if not resume_cursor(opened, str(name), retry_at=time.time() if found else 0.0):
                click.echo(f"tmf683: there is no cursor {name}", err=True)
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
    with _cursors(spec, store) as (_, cursors):
        found = cursors.failed(state="parked") if parked else _chosen(cursors, delivery or "")
        for each in found:
            cursors.forget(each.id)
        click.echo(f"{len(found)} deliveries forgotten")


@events.command()
@click.option("--limit", default=20, show_default=True, help="How many, the newest first.")
@_JSON
@_SPEC
@_STORE
def received(limit: int, as_json: bool, spec: tuple[Path, ...], store: str | None) -> None:
    """List the events that other systems have sent to the listeners here."""
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        contracts = [*open_contracts(settings), *open_sources(settings)]
        with _opened(settings, contracts) as opened:
            collections = {
                binding.listener.collection
                for contract in contracts
                for binding in contract.bindings
                if binding.kind is Kind.LISTEN and binding.listener is not None
            }
            query = Query(window=Window(0, limit), count=False)
            pages = [opened.find(collection, query).documents for collection in collections]
            found = [json.loads(each.content) for each in chain(*pages)]
        found.sort(key=lambda kept: kept["receivedAt"], reverse=True)
        for kept in found[:limit]:
            if as_json:
                _echo_json(kept)
            else:
                named = kept["event"].get("eventId", "")
                click.echo(f"{kept['receivedAt']}  {kept['listener']}  {named}")


@contextmanager
def _cursors(spec: tuple[Path, ...], store: str | None) -> Iterator[tuple[Store, DeliveryCursors]]:
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        with _opened(settings, open_contracts(settings)) as opened:
            yield opened, DeliveryCursors(opened, "operator", settings.lease_seconds)


@contextmanager
def _opened(settings: Settings, contracts: Sequence[Contract]) -> Iterator[Store]:
    """Open the store; one that is not there is not made, since its name may be mistyped."""
    opened = open_prepared_store(settings, contracts, make=False)
    try:
        yield opened
    finally:
        opened.close()


def _chosen(cursors: DeliveryCursors, id: str) -> list[FailedDelivery]:
    found = [each for each in cursors.failed() if id in (each.id, each.event)]
    if not found:
        click.echo(f"tmf683: no delivery {id} waits or was given up", err=True)
        sys.exit(2)
    return found


def _standing(store: Store, cursor: DeliveryCursor, last: int) -> tuple[int, int]:
    """Return how many events lie before a cursor, and how many were removed untold."""
    following = store.events(cursor.position, 1)
    first = following[0].number if following else last + 1
    return last - first + 1, cursor.missed + first - 1 - cursor.position


def _holder(cursor: DeliveryCursor) -> str:
    """Return which worker holds the lease and until when, by its own clock."""
    if not cursor.holder:
        return ""
    until = datetime.fromtimestamp(cursor.held_until, UTC).isoformat(timespec="seconds")
    return f"  held by {cursor.holder} until {until}"


def _state(cursor: DeliveryCursor) -> str:
    if cursor.suspended:
        return f"suspended: {cursor.suspended}"
    left = cursor.rest_until - time.time()
    return f"rests for {left:.0f} s" if left > 0 else "active"


def _callback(store: Store, cursor: DeliveryCursor) -> str:
    collection, _, id = cursor.id.rpartition("/")
    try:
        return str(json.loads(store.get(collection, id).content)["callback"])
    except DocumentNotFound:
        return "unregistered"


def _line(failed: FailedDelivery) -> str:
    return (
        f"{failed.event}  {failed.state}  {failed.type}  {failed.resource}"
        f"  {failed.attempts} attempts, {failed.error or 'waits behind another'}"
    )


def _echo_json(content: object) -> None:
    click.echo(json.dumps(content).decode())
