"""`indexes`."""

from __future__ import annotations

from pathlib import Path

import click

from app.bootstrap import collections_of, open_contracts
from app.commands.errors import plain_errors
from app.commands.settings_option import read_settings
from storage import open_store


@click.command()
@click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
@click.option("--store", help="sqlite:///file.db or mongodb://…")
def indexes(spec: tuple[Path, ...], store: str | None) -> None:
    """List the indexes that the contracts ask for, and whether the store has them.

    A store that does not exist is not created, since its name may be mistyped.
    """
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        wanted = collections_of(open_contracts(settings))
        opened = open_store(settings.store, busy_seconds=settings.busy_seconds, make=False)
        try:
            for collection, indexes in wanted.items():
                there = opened.indexes(collection)
                click.echo(collection)
                for index in indexes:
                    click.echo(f"  {'there' if index.name in there else 'missing':8} {index.name}")
        finally:
            opened.close()
