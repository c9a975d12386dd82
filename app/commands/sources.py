"""`sources`: the hubs of other systems."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import httpx

from app.bootstrap import open_contracts
from app.commands.errors import plain_errors
from app.commands.headers import header_option
from app.commands.output import json_lines_option, write_json_line
from app.commands.settings_option import read_settings
from app.contract import Contract, Kind

_SECONDS = 10.0


@click.group()
def sources() -> None:
    """Subscribe to the events of other systems."""


@sources.command()
@click.argument("spec", type=Path)
@click.option("--hub", required=True, help="Base URL of the API there, as its contract has it.")
@click.option("--listener", required=True, help="URL of this server, as it is reached from there.")
@header_option
@click.option("--every", default=300.0, show_default=True, help="Seconds between registrations.")
@click.option("--once", is_flag=True, help="Register once, and end.")
@json_lines_option
def subscribe(
    spec: Path,
    hub: str,
    listener: str,
    headers: dict[str, str],
    every: float,
    once: bool,
    as_json: bool,
) -> None:
    """Register the listeners of SPEC's events at a hub, and keep them registered.

    A hub that knows them already says so; one that has forgotten them, or was away, learns of them
    again.
    """
    with plain_errors():
        (contract,) = open_contracts(read_settings(spec=(spec,)))
    with httpx.Client(timeout=_SECONDS, headers=headers) as client:
        while True:
            done = [_register(client, hub, each, as_json) for each in wanted(contract, listener)]
            if once:
                sys.exit(0 if all(done) else 1)
            time.sleep(every if all(done) else min(every, _SECONDS))


def wanted(contract: Contract, listener: str) -> list[dict[str, str]]:
    """Return the registrations for every event that a contract declares for its resources."""
    types = {event.type for each in contract.announced for event in each.events.values()}
    found = []
    for binding in contract.bindings:
        name = binding.path.rpartition("/")[2]
        type = name[:1].upper() + name[1:]
        if binding.kind is Kind.LISTEN and type in types:
            callback = f"{listener.rstrip('/')}{contract.base_path}{binding.path}"
            found.append({"@type": "Hub", "callback": callback, "query": f"eventType={type}"})
    return found


def _register(client: httpx.Client, hub: str, registration: dict[str, str], as_json: bool) -> bool:
    """Register once; a hub that has the registration already answers 409."""
    try:
        answer = client.post(f"{hub.rstrip('/')}/hub", json=registration)
    except httpx.HTTPError as error:
        click.echo(f"tmf683: {hub} cannot be reached: {error}", err=True)
        return False
    if answer.status_code == 409:
        return True
    if answer.is_success:
        if as_json:
            write_json_line({"registered": registration["query"]})
        else:
            click.echo(f"registered for {registration['query']}")
        return True
    click.echo(f"tmf683: {hub} answers {answer.status_code} to {registration['query']}", err=True)
    return False
