"""What a user can mend, said in plain lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.conformance import SuiteError
from app.contract import ContractError
from app.settings import SettingsError
from storage import StoreError


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what a user can mend into lines on standard error and exit code 2."""
    try:
        yield
    except (ContractError, SettingsError, StoreError, SuiteError) as error:
        click.echo(f"tmf683: {error}", err=True)
        sys.exit(2)
