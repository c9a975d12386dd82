"""Errors that a user can correct, as plain lines on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.contract import ContractError
from app.settings import SettingsError
from storage import StoreError


@contextmanager
def plain_errors(*others: type[Exception]) -> Iterator[None]:
    """Print errors that a user can correct on standard error, and exit with 2.

    `others` are exceptions of this kind that only one command raises.
    """
    mendable: tuple[type[Exception], ...] = (ContractError, SettingsError, StoreError, *others)
    try:
        yield
    except mendable as error:
        click.echo(f"tmf683: {error}", err=True)
        sys.exit(2)
