"""What a user can mend, said in plain lines."""

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
    """Turn what a user can mend into lines on standard error and exit code 2.

    `others` are errors of this kind that one command alone has.
    """
    mendable: tuple[type[Exception], ...] = (ContractError, SettingsError, StoreError, *others)
    try:
        yield
    except mendable as error:
        click.echo(f"tmf683: {error}", err=True)
        sys.exit(2)
