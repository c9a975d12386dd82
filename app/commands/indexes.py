"""`indexes`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import groupby
from pathlib import Path
from typing import Literal, TypedDict

import click

from app.bootstrap import collections_of, open_contracts
from app.commands.errors import plain_errors
from app.commands.output import json_option, write_json
from app.commands.settings_option import read_settings
from storage import open_store


@click.command()
@click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
@click.option("--store", help="sqlite:///file.db or mongodb://…")
@json_option()
def indexes(spec: tuple[Path, ...], store: str | None, as_json: bool) -> None:
    """List the indexes that the contracts ask for: there, missing, or how far they are built.

    A store that does not exist is not created, since its name may be mistyped.
    """
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        wanted = collections_of(open_contracts(settings))
        opened = open_store(settings.store, busy_seconds=settings.busy_seconds, make=False)
        try:
            found = [
                _row(collection, index.name, there, building)
                for collection, indexes in wanted.items()
                for there in (opened.indexes(collection),)
                for building in (opened.index_builds(collection),)
                for index in indexes
            ]
        finally:
            opened.close()
    if as_json:
        write_json(found)
        return
    for collection, rows in groupby(found, key=lambda each: each["collection"]):
        click.echo(collection)
        for row in rows:
            done = "" if row["done"] is None else f" {row['done']:.0%}"
            click.echo(f"  {row['state'] + done:14} {row['index']}")


class _Row(TypedDict):
    """An index; `done` is how much of it is built, from 0 to 1; None where that is not known."""

    collection: str
    index: str
    state: Literal["there", "missing", "building"]
    done: float | None


def _row(
    collection: str, name: str, there: Collection[str], building: Mapping[str, float | None]
) -> _Row:
    state: Literal["there", "missing", "building"] = "there" if name in there else "missing"
    if name in building:
        state = "building"
    return _Row(collection=collection, index=name, state=state, done=building.get(name))
