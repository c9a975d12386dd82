"""`key`: create an API key."""

from __future__ import annotations

import click

from app.commands.errors import plain_errors
from app.commands.output import json_option, write_result
from app.identity.api_keys import make_key, parse_entry
from app.settings import SettingsError
from app.tmf630.caller import Access


@click.command()
@click.argument("name")
@click.option(
    "--access",
    "kinds",
    multiple=True,
    required=True,
    type=click.Choice([each.value for each in Access]),
    help="What the key allows; repeatable.",
)
@click.option("--party", "parties", multiple=True, help="Bind it to a party; repeatable.")
@json_option()
def key(name: str, kinds: tuple[str, ...], parties: tuple[str, ...], as_json: bool) -> None:
    """Create an API key for NAME.

    The key is shown once; its entry is for TMF_API_KEYS, and holds no secret.
    """
    with plain_errors():
        secret, entry = make_key(name, [Access(each) for each in kinds], parties)
        try:
            parse_entry(entry)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        found = {"key": secret, "entry": entry}
        write_result(as_json, found, f"key    {secret}\nentry  {entry}")
