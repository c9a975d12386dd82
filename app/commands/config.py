"""`config`."""

from __future__ import annotations

import click

from app.commands.errors import plain_errors
from app.settings import read_settings, shown


@click.command()
def config() -> None:
    """Print the effective settings."""
    with plain_errors():
        for name, text in shown(read_settings()):
            click.echo(f"{name}={text}")
