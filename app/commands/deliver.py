"""`deliver`."""

from __future__ import annotations

from pathlib import Path

import click

from app.bootstrap import open_contracts
from app.commands.errors import plain_errors
from app.commands.settings_option import read_settings
from app.server.delivery import run_delivery


@click.command()
@click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
@click.option("--store", help="sqlite:///file.db or mongodb://…")
def deliver(spec: tuple[Path, ...], store: str | None) -> None:
    """Deliver events to their listeners; any number of these may run on one store.

    TMF_MANAGEMENT_PORT is where its metrics are served.
    """
    with plain_errors():
        settings = read_settings(spec=spec, store=store)
        run_delivery(settings, open_contracts(settings))
