"""Errors that a user can correct, as plain lines on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.contract import ContractError
from app.observability.log_events import LogEvent
from app.observability.logs import format_line
from app.settings import SettingsError, gather
from storage import StoreError

_MENDABLE: tuple[type[Exception], ...] = (ContractError, SettingsError, StoreError)
"""What a user can correct, whatever the command."""
_STARTING = ("serve", "deliver")
"""Commands that run until they are stopped, and log."""


@contextmanager
def plain_errors(*others: type[Exception]) -> Iterator[None]:
    """Print errors that a user can correct on standard error, and exit with 2.

    `others` are exceptions of this kind that only one command raises.
    """
    try:
        yield
    except (*_MENDABLE, *others) as error:
        click.echo(_line(error), err=True)
        sys.exit(2)


def _line(error: Exception) -> str:
    """Return an error as a line: of the log, where a server that logs JSON does not start."""
    context = click.get_current_context(silent=True)
    starting = context is not None and context.info_name in _STARTING
    if not starting or gather().settings.log_format != "json":
        return f"tmf683: {error}"
    fields = {"event": LogEvent.START_REFUSED}
    return format_line(time.time(), "error", "tmf683.server", str(error), fields, json=True)
