"""`indexes`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    """List the indexes that the contracts ask for: there, missing, or how far they are built.

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
                building = opened.index_builds(collection)
                for index in indexes:
                    click.echo(f"  {_state(index.name, there, building):14} {index.name}")
        finally:
            opened.close()


def _state(name: str, there: Collection[str], building: Mapping[str, float | None]) -> str:
    if name not in building:
        return "there" if name in there else "missing"
    done = building[name]
    return "building" if done is None else f"building {done:.0%}"
