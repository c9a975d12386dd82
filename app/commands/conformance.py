"""`conformance`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import click

from app.bootstrap import open_contracts
from app.commands.errors import plain_errors
from app.commands.headers import header_option
from app.conformance import (
    SuiteError,
    html_report,
    junit_report,
    load_suite,
    run,
    run_derived,
    text_report,
)
from app.settings import OPENAPI_FOLDER, read_settings


def _api_url(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise click.BadParameter("write http://host:port/path or https://…, nothing else")
    return value


@click.command()
@click.option("--url", required=True, callback=_api_url, help="Base URL of the API to test.")
@click.option("--spec", type=Path, help="Derive the run from this contract.")
@click.option(
    "--suite",
    type=Path,
    default=next((OPENAPI_FOLDER / "conformance").glob("*.yaml")),
    help="The suite to run instead of the certificate's.",
)
@header_option
@click.option("--minimal", is_flag=True, help="Create with no more than what is mandatory.")
@click.option("--html", type=click.File("w", "utf-8", lazy=False), help="Report page to write.")
@click.option("--junit", type=click.File("wb", lazy=False), help="JUnit XML to write.")
def conformance(
    url: str,
    spec: Path | None,
    suite: Path,
    headers: dict[str, str],
    minimal: bool,
    html: IO[str] | None,
    junit: IO[bytes] | None,
) -> None:
    """Run a conformance suite against a server; exit 1 when an assertion fails.

    With --spec the run follows from the contract: every operation it declares is tried.
    """
    with plain_errors(SuiteError):
        if spec is not None:
            (contract,) = open_contracts(read_settings(spec=(spec,)))
            outcome = run_derived(contract, url, headers=headers)
        else:
            outcome = run(load_suite(suite), url, minimal=minimal, headers=headers)
    if not outcome.exchanges:
        click.echo("tmf683: the contract has no operation that can be tried", err=True)
        sys.exit(2)
    if outcome.mean_milliseconds is None:
        (failure, *_) = outcome.exchanges[0].assertions
        click.echo(f"tmf683: {url} does not answer: {failure.failure}", err=True)
    else:
        click.echo(text_report(outcome))
    if html:
        html.write(html_report(outcome))
    if junit:
        junit.write(junit_report(outcome))
    sys.exit(1 if outcome.failed else 0)
