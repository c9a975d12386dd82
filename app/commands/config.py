"""`config`."""

from __future__ import annotations

import sys

import click

from app.commands.errors import plain_errors
from app.commands.output import json_option, write_json
from app.commands.settings_option import (
    gather_settings,
    read_settings,
    unchecked_config_option,
)
from app.settings import SettingRow, explain, shown


@click.command()
@click.option("--explain", "in_full", is_flag=True, help="Show origins and meanings, and judge.")
@json_option("Write what --explain shows as JSON.")
@unchecked_config_option
def config(in_full: bool, as_json: bool) -> None:
    """Print the effective settings.

    With --explain each with its origin (command line, environment, .env, file or default) and its
    meaning; and everything for which `serve` would refuse to start, a line each, on standard error:
    the exit code then is 2.
    """
    if in_full or as_json:
        _explain(as_json)
        return
    with plain_errors():
        for name, text in shown(read_settings()):
            click.echo(f"{name}={text}")


def _explain(as_json: bool) -> None:
    from app.server.start_checks import start_problems  # the server costs start-up time

    reading = gather_settings()
    rows = explain(reading.settings, reading.refused)
    problems = [str(each) for each in (*reading.problems, *start_problems(reading.settings))]
    if as_json:
        write_json({"settings": [row._asdict() for row in rows], "problems": problems})
    else:
        for row in rows:
            click.echo(_explained(row))
        for problem in problems:
            click.echo(f"tmf683: {problem}", err=True)
    sys.exit(2 if problems else 0)


def _explained(row: SettingRow) -> str:
    return f"{row.name}={row.value}\n    {row.origin}. {row.meaning}"
