"""`conformance`: test a server, ours or another, against the certificate's suite or a contract."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import click
import yaml

from app.bootstrap import open_contracts
from app.commands.errors import plain_errors
from app.commands.headers import header_option
from app.commands.output import json_option
from app.commands.settings_option import read_settings
from app.conformance import (
    BaselineError,
    DerivedRun,
    Outcome,
    Selection,
    SuiteError,
    Transport,
    compare,
    html_report,
    json_report,
    junit_report,
    load_suite,
    read_baseline,
    run,
    run_derived,
    text_report,
    write_baseline,
)
from app.contract.document.load import load
from app.contract.document.normalise import normalise
from app.contract.document.repair import repair
from app.contract.document.upgrade import upgrade
from app.identity.exposure import is_loopback
from app.settings import OPENAPI_FOLDER

_SUITES = OPENAPI_FOLDER / "conformance"
_MAJOR = re.compile(r"/v(\d+)(\.[0-9.]+)?/?$")


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
    help="Suite to run. Default: the certificate's, v4 or v5 by --url.",
)
@header_option
@click.option("--minimal", is_flag=True, help="Suite: create with the mandatory attributes alone.")
@click.option("--only", multiple=True, help="Derived: try these operations alone; repeatable.")
@click.option("--skip", multiple=True, help="Derived: leave these operations out; repeatable.")
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Derived: bodies to create with, by resource name or operationId (JSON or YAML).",
)
@click.option(
    "--listener",
    help="Derived: scheme and host under which the server reaches this machine, for its events."
    " Default: http://127.0.0.1 when --url is on this machine.",
)
@click.option("--keep", is_flag=True, help="Leave what the run created on the server.")
@click.option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Known failures: only new ones fail the run.",
)
@click.option("--write-baseline", "new_baseline", type=Path, help="Write the failures as known.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Seconds to wait for an answer.",
)
@click.option("--insecure", is_flag=True, help="Accept any TLS certificate.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of certificate authorities to trust.",
)
@json_option("Print JSON instead of the table.")
@click.option("--html", type=click.File("w", "utf-8", lazy=False), help="Report page to write.")
@click.option("--junit", type=click.File("wb", lazy=False), help="JUnit XML to write.")
def conformance(
    url: str,
    spec: Path | None,
    suite: Path | None,
    headers: dict[str, str],
    minimal: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    data: Path | None,
    listener: str | None,
    keep: bool,
    baseline: Path | None,
    new_baseline: Path | None,
    timeout: float,
    insecure: bool,
    ca: Path | None,
    as_json: bool,
    html: IO[str] | None,
    junit: IO[bytes] | None,
) -> None:
    """Run a conformance suite against a server; exit 1 when an assertion fails.

    Without --spec it is the suite of TM Forum's certificate: 18 requests, for TMF683 v4 or v5.
    With --spec the run is derived from the contract: every operation it declares is tried, and
    those that cannot be are listed. Operations are named by operationId or as 'GET /path', with
    * and ? as wildcards.
    """
    transport = Transport(headers, timeout, insecure, ca)
    with plain_errors(SuiteError, BaselineError, OSError):
        known = read_baseline(baseline) if baseline else ()
        if spec is not None:
            outcome = _derived(url, spec, transport, Selection(only, skip), data, listener, keep)
        else:
            loaded = load_suite(suite or _suite_for(url))
            outcome = run(loaded, url, minimal=minimal, keep=keep, transport=transport)
        if new_baseline is not None:
            write_baseline(new_baseline, outcome)
    _show(outcome, url, as_json=as_json)
    if html:
        html.write(html_report(outcome))
    if junit:
        junit.write(junit_report(outcome))
    found = compare(outcome, known)
    if baseline is not None and not as_json:
        for word, names in (("new", found.new), ("fixed", found.fixed)):
            for name in names:
                click.echo(f"{word} failure: {name}" if word == "new" else f"fixed: {name}")
        click.echo(f"{len(found.known)} known, {len(found.new)} new, {len(found.fixed)} fixed")
    sys.exit(1 if found.new else 0)


def _suite_for(url: str) -> Path:
    """Return the certificate's suite for the version that the URL names; v4 without one."""
    found = _MAJOR.search(urlsplit(url).path)
    suites = {each.stem.rpartition("-v")[2].partition(".")[0]: each for each in _SUITES.glob("*")}
    return suites.get(found[1] if found else "4", suites["4"])


def _derived(
    url: str,
    spec: Path,
    transport: Transport,
    selection: Selection,
    data: Path | None,
    listener: str | None,
    keep: bool,
) -> Outcome:
    (contract,) = open_contracts(read_settings(spec=(spec,)))
    if not contract.bindings:
        click.echo("tmf683: the contract has no operation that can be tried", err=True)
        sys.exit(2)
    published = load(spec)
    repair(published)
    if listener is None and is_loopback(urlsplit(url).hostname or ""):
        listener = "http://127.0.0.1"
    options = DerivedRun(
        selection=selection,
        bodies=_bodies(data),
        published=normalise(upgrade(published)),
        listener=listener,
        keep=keep,
    )
    return run_derived(contract, url, transport=transport, options=options)


def _bodies(file: Path | None) -> dict[str, dict[str, Any]]:
    if file is None:
        return {}
    try:
        bodies = yaml.safe_load(file.read_text("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise click.BadParameter(f"{file} is neither JSON nor YAML: {reason}") from None
    valid = isinstance(bodies, dict) and all(isinstance(each, dict) for each in bodies.values())
    if not valid:
        raise click.BadParameter(f'{file} must be an object such as {{"thing": {{"name": "x"}}}}')
    return json.loads(json.dumps(bodies, default=str))  # type: ignore[no-any-return]


def _show(outcome: Outcome, url: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json_report(outcome))
    elif not outcome.exchanges:
        click.echo("tmf683: no operation was tried")
        for each in outcome.not_tried:
            click.echo(f"   {each.operation}: {each.reason}")
    elif outcome.mean_milliseconds is None:
        (failure, *_) = outcome.exchanges[0].assertions
        click.echo(f"tmf683: {url} does not answer: {failure.failure}", err=True)
    else:
        click.echo(text_report(outcome))
