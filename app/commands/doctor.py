"""`doctor`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from app.bootstrap import collections_of, open_contracts
from app.commands.errors import plain_errors
from app.commands.output import json_option, write_json
from app.commands.settings_option import read_settings
from app.events.outbound.backlog import BacklogReader
from app.settings import Settings
from storage import Index, StoreError, open_store
from storage.diagnosis import Check, State
from storage.store_url import diagnose_store


@click.command()
@click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
@click.option("--store", help="sqlite:///file.db or mongodb://…")
@json_option()
@click.option("--strict", is_flag=True, help="Exit with 1 when there are warnings.")
def doctor(spec: tuple[Path, ...], store: str | None, as_json: bool, strict: bool) -> None:
    """Look at the store, and say what is wrong with it; nothing is changed.

    The server's version and topology, the write concern in effect, indexes, ghosts (what a deleted
    document left), the backlog of events, clocks, the largest documents. The exit code is 1 when
    there is a problem, 2 when the store cannot be read.
    """
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        wanted = collections_of(open_contracts(settings))
        found = []
        for check in _checks(settings, wanted):
            found.append(check)
            if not as_json:
                click.echo(f"{check.state:8} {check.name:10} {check.text}")
    if as_json:
        write_json([{"name": each.name, "state": each.state, "text": each.text} for each in found])
    failing = {State.PROBLEM, State.WARNING} if strict else {State.PROBLEM}
    sys.exit(1 if any(each.state in failing for each in found) else 0)


def _checks(settings: Settings, wanted: Mapping[str, Sequence[Index]]) -> Iterator[Check]:
    sound = True
    for check in diagnose_store(
        settings.store,
        wanted,
        query_seconds=settings.query_seconds,
        busy_seconds=settings.busy_seconds,
    ):
        yield check
        # Opening a store of another schema would change it.
        sound = sound and not (check.name == "schema" and check.state is not State.OK)
    if sound:
        yield _backlog(settings)


def _backlog(settings: Settings) -> Check:
    """Return the check of what is still to be delivered."""
    store = open_store(settings.store, busy_seconds=settings.busy_seconds, make=False)
    try:
        found = BacklogReader(store).read()
    except StoreError as error:
        return Check("backlog", State.PROBLEM, str(error))
    finally:
        store.close()
    text = (
        f"{found.pending:,} events to deliver, {found.waiting} deliveries repeated later,"
        f" {found.parked} parked, {found.suspended} subscriptions suspended,"
        f" {found.workers} delivery workers live"
    )
    if found.parked or found.suspended:
        return Check("backlog", State.WARNING, f"{text}: `tmf683 events list` shows them")
    return Check("backlog", State.OK, text)
