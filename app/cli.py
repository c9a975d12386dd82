"""The command line: a thin layer over the modules the server uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import click

from app.conformance import SuiteError, html_report, junit_report, load_suite, run, text_report
from app.contract import Contract, ContractError, Kind
from app.server import collections_of, open_contracts, open_prepared_store
from app.settings import OPENAPI_FOLDER, Settings, SettingsError, read_settings, shown
from storage import StoreError, open_store


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tmf683")
def main() -> None:
    """Serve TM Forum Open APIs from their contracts."""


@main.command()
@click.option("--spec", multiple=True, type=Path, help="A contract to serve; repeatable.")
@click.option("--store", help="sqlite:///file.db, memory: or mongodb://…")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--workers", type=int, help="Worker processes.")
@click.option("--profile", help="conformance or strict.")
@click.option("--dev", is_flag=True, help="One process, reload on change, responses validated.")
def serve(
    spec: tuple[Path, ...],
    store: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    profile: str | None,
    dev: bool,
) -> None:
    """Serve the contracts."""
    from app import serving

    with _plain_errors():
        settings = read_settings(
            spec=spec,
            store=store,
            host=host,
            port=port,
            workers=workers,
            profile=profile,
            validate_responses=dev or None,
        )
        contracts = open_contracts(settings)
        serving.check_address(settings)
        # Here, so that a store that cannot be used stops the start, not worker after worker.
        open_prepared_store(settings, contracts).close()
        _announce(settings, contracts)
        (serving.serve_for_development if dev else serving.serve)(settings)


@main.command()
@click.argument("path", type=Path)
@click.option("--profile", help="conformance or strict.")
def check(path: Path, profile: str | None) -> None:
    """Validate the contract at PATH and list what would be served."""
    with _plain_errors():
        (contract,) = open_contracts(read_settings(spec=(path,), profile=profile))
        click.echo(f"{contract.title} {contract.version}, valid")
        click.echo(f"base path  {contract.base_path}")
        for overlay in contract.overlays:
            click.echo(f"overlay    {overlay.title} ({overlay.changes} changes)")
        for problem in contract.contradictions:
            click.echo(f"left out   example {problem}")
        rows = [
            (each.method.upper(), each.path, each.operation_id, _handler(each.unserved, each.kind))
            for each in contract.bindings
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            click.echo(
                "  ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True))
            )
        served = sum(each.unserved is None for each in contract.bindings)
        click.echo(f"{served} of {len(rows)} operations served")


def _api_url(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise click.BadParameter("write http://host:port/path or https://…, nothing else")
    return value


@main.command()
@click.option("--url", required=True, callback=_api_url, help="Base URL of the API to test.")
@click.option(
    "--suite",
    type=Path,
    default=next((OPENAPI_FOLDER / "conformance").glob("*.yaml")),
    help="The suite to run instead of the certificate's.",
)
@click.option("--minimal", is_flag=True, help="Create with no more than what is mandatory.")
@click.option("--html", type=click.File("w", "utf-8", lazy=False), help="Report page to write.")
@click.option("--junit", type=click.File("wb", lazy=False), help="JUnit XML to write.")
def conformance(
    url: str, suite: Path, minimal: bool, html: IO[str] | None, junit: IO[bytes] | None
) -> None:
    """Run a conformance suite against a server; exit 1 when an assertion fails."""
    with _plain_errors():
        outcome = run(load_suite(suite), url, minimal=minimal)
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


@main.command()
def config() -> None:
    """Print the effective settings."""
    with _plain_errors():
        for name, text in shown(read_settings()):
            click.echo(f"{name}={text}")


@main.command()
@click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
@click.option("--store", help="sqlite:///file.db or mongodb://…")
def indexes(spec: tuple[Path, ...], store: str | None) -> None:
    """List the indexes that the contracts ask for, and whether the store has them."""
    with _plain_errors():
        settings = read_settings(spec=spec, store=store)
        wanted = collections_of(open_contracts(settings))
        opened = open_store(settings.store, busy_seconds=settings.busy_seconds)
        try:
            for collection, indexes in wanted.items():
                there = opened.indexes(collection)
                click.echo(collection)
                for index in indexes:
                    click.echo(f"  {'there' if index.name in there else 'missing':8} {index.name}")
        finally:
            opened.close()


def _handler(unserved: str | None, kind: str) -> str:
    return f"501: {unserved}" if unserved else kind


def _announce(settings: Settings, contracts: tuple[Contract, ...]) -> None:
    origin = f"http://{settings.host}:{settings.port}"
    for contract in contracts:
        base = origin + contract.base_path
        click.echo(f"{contract.title} {contract.version}")
        click.echo(f"  API         {base}")
        click.echo(f"  Swagger UI  {base}/ui/")
        first = next((each for each in contract.bindings if each.kind is Kind.LIST), None)
        if first is not None and first.definition is not None:
            click.echo(f"  try         curl -s '{origin}{first.definition.path}?limit=3'")
    click.echo(f"Health        {origin}/health/ready")
    click.echo(f"Store         {dict(shown(settings))['TMF_STORE']}")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what a user can mend into lines on standard error and exit code 2."""
    try:
        yield
    except (ContractError, SettingsError, StoreError, SuiteError) as error:
        click.echo(f"tmf683: {error}", err=True)
        sys.exit(2)
