"""A group whose commands are imported when they are called.

Each command needs its own part of the server, and whoever calls one should not wait for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from app.commands.help_texts import complete_help


class LaterGroup(click.Group):
    """Subcommands by name, each with its location: `package.module:attribute`."""

    def __init__(self, *args: Any, places: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name, in the order in which they were given."""
        return [*self._places]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of this name."""
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        from app.commands.settings_option import add_config_option  # takes time to import

        add_config_option(command)
        complete_help(command, cmd_name)
        return command
