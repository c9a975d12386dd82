"""`seed`: data to try the server with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import click

from app.bootstrap import open_contracts, open_prepared_store
from app.commands.errors import plain_errors
from app.commands.output import json_option, write_result
from app.commands.progress import progress_bar
from app.commands.settings_option import read_settings
from app.maintenance.history import read_histories
from app.maintenance.new_resource import NewResource
from app.maintenance.samples import samples
from app.maintenance.seed import (
    SeedError,
    in_version,
    named,
    seed,
    targets_of,
    with_history,
)
from app.settings import OPENAPI_FOLDER

_SAMPLES = 50


@click.command(name="seed")
@click.option(
    "--customers",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Customers in the history.",
)
@click.option(
    "--months",
    type=click.IntRange(1, 240),
    default=12,
    show_default=True,
    help="How far back the history reaches.",
)
@click.option(
    "--seed",
    "number",
    type=int,
    default=1,
    show_default=True,
    help="Another number makes other data.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day before which the history ends; today by default.",
)
@click.option("--resource", help="Samples of this resource of the contracts, and no history.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    help=f"How many samples of the resource; {_SAMPLES} by default.",
)
@click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
@click.option("--store", help="sqlite:///file.db or mongodb://…")
@json_option()
def seed_command(
    customers: int,
    months: int,
    number: int,
    until: datetime | None,
    resource: str | None,
    count: int | None,
    spec: tuple[Path, ...],
    store: str | None,
    as_json: bool,
) -> None:
    """Fill the store with a year in the life of a provider's customers, to try the server with.

    Interactions have invented names and plausible dates. The same options make the same documents
    on the same day, ids included, so a second run adds nothing. Other contracts get samples, made
    of their schemas and examples. No events are sent.
    """
    with plain_errors(SeedError):
        if count is not None and resource is None:
            raise SeedError("--count says how many samples of a --resource; it needs one")
        settings = read_settings(spec=spec, store=store)
        contracts = open_contracts(settings)
        targets = targets_of(contracts)
        day: date = until.date() if until else datetime.now(UTC).date()
        if resource is not None:
            target = named(targets, resource)
            made: Iterable[NewResource] = samples(
                target, count=count or _SAMPLES, months=months, seed=number, until=day
            )
        else:
            target, history = with_history(targets, read_histories(OPENAPI_FOLDER / "histories"))
            told = history.told(customers=customers, months=months, seed=number, until=day)
            made = in_version(target, history.into.version, told)
        planned = list(made)
        opened = open_prepared_store(settings, contracts)
        try:
            with progress_bar(len(planned), "seeding") as step:
                found = seed(target, opened, planned, step)
        finally:
            opened.close()
    write_result(
        as_json,
        {"path": target.definition.path, "added": found.added, "already": found.already},
        f"{found.added} resources added to {target.definition.path},"
        f" {found.already} were there already",
    )
