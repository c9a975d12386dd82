"""How settings are shown: secrets masked, each with its origin and its meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.settings.model import Settings

COMMAND_LINE = "command line"
"""The origin of what an option gives."""
SECRETS = frozenset({"cursor_key", "webhook_keys", "api_keys"})
PATHS = frozenset({"spec", "sources", "overlays", "mappings"})
"""Lists of paths, which the system's path separator joins; others are joined by commas."""

_SECRET_IN_URL = re.compile(
    r"(://[^:/?@]*:)[^?]*(?=@)|((?:password|properties)=)[^&]*", re.IGNORECASE
)
"""A password before a host, and what MongoDB's options keep secret."""


class SettingRow(NamedTuple):
    """A setting as it is explained: its variable, value, origin and meaning, all texts."""

    name: str
    value: str
    origin: str
    meaning: str


def explain(
    settings: Settings, refused: Mapping[str, tuple[Any, str]] | None = None
) -> tuple[SettingRow, ...]:
    """Return a row for each setting, secrets masked.

    `refused` has the value and origin of settings that were given, but cannot be used.
    """
    refused = refused or {}
    rows = []
    for name, field in Settings.model_fields.items():
        value, origin = refused.get(name, (getattr(settings, name), settings.origin_of(name)))
        rows.append(
            SettingRow(variable_of(name), as_shown(name, value), origin, field.description or "")
        )
    return tuple(rows)


def shown(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each setting as its environment variable and its value, secrets masked."""
    for row in explain(settings):
        yield row.name, row.value


def place_of(settings: Settings, name: str) -> str:
    """Return how an error names a setting: as its option where the command line gave it."""
    option = settings.origin_of(name) == COMMAND_LINE
    return "--" + name.replace("_", "-") if option else variable_of(name)


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"TMF_{name.upper()}"


def as_shown(name: str, value: Any) -> str:
    """Return the value of a setting as text, without what is secret in it."""
    if value is None:
        return ""
    if name in SECRETS and value:
        return "***"
    text = joined(name, value) if isinstance(value, tuple | list) else str(value)
    if "://" in text:
        return _SECRET_IN_URL.sub(lambda found: f"{found[1] or found[2]}***", text)
    return text


def joined(name: str, values: tuple[object, ...] | list[object]) -> str:
    """Return a list as it is written in a variable."""
    return (os.pathsep if name in PATHS else ",").join(map(str, values))
