"""The option `--header`: headers of every request, for authentication for example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def header_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option; the command gets `headers`, a dict."""
    return click.option(
        "--header",
        "headers",
        multiple=True,
        callback=_headers,
        help="Header to send, 'Authorization: Bearer …' for example; repeatable.",
    )(function)


def _headers(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    pairs = [value.partition(":") for value in values]
    for name, colon, value in pairs:
        if not (name.strip() and colon and value.strip()):
            raise click.BadParameter("write 'Name: value'")
    return {name.strip(): value.strip() for name, _, value in pairs}
