"""`--config`, which every command has, and the settings that a command is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from app import settings as sources
from app.commands.errors import plain_errors
from app.settings import Reading, Settings, SettingsError

_META = "tmf683.config_file"


def add_config_option(command: click.Command) -> None:
    """Give a command, and the commands of a group, the option `--config`."""
    if not any(each.name == "config" for each in command.params):
        checked = not isinstance(command, click.Group)
        command.params.append(_option(_keep_and_check if checked else _keep))
    if isinstance(command, click.Group):
        for each in command.commands.values():
            add_config_option(each)


def unchecked_config_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--config`, and leave it to the command to judge the settings."""
    return click.option("--config", type=Path, expose_value=False, callback=_keep, help=_HELP)(
        command
    )


def read_settings(**given: Any) -> Settings:
    """Return the settings of the command that runs; see `app.settings.read_settings`.

    Raises:
        SettingsError: a value is wrong.
    """
    return sources.read_settings(config_file=_config_file(), **given)


def gather_settings() -> Reading:
    """Return the settings of the command that runs, and everything that is wrong with them."""
    return sources.gather(config_file=_config_file())


_HELP = "File of settings (TOML); tmf683.toml of the working directory otherwise."


def _option(
    callback: Callable[[click.Context, click.Parameter, Path | None], None],
) -> click.Option:
    return click.Option(["--config"], type=Path, expose_value=False, callback=callback, help=_HELP)


def _config_file() -> Path | None:
    found: Path | None = click.get_current_context().meta.get(_META)
    return found


def _keep(context: click.Context, _: click.Parameter, file: Path | None) -> None:
    if file is not None:
        context.meta[_META] = file


def _keep_and_check(context: click.Context, parameter: click.Parameter, file: Path | None) -> None:
    """Keep the file, and refuse settings that no command could use.

    Settings that exclude each other are left to the command: its options may change them.
    """
    _keep(context, parameter, file)
    with plain_errors():
        problems = sources.gather(config_file=context.meta.get(_META)).problems
        wrong = [each for each in problems if each.place]
        if wrong:
            raise SettingsError.of(wrong)
