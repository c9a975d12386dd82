"""What commands write for programs: JSON on standard output, in place of text.

Names are in camel case, as in the APIs. Progress bars and errors go to standard error, and the exit
code is that of the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import orjson

from storage import json


def json_option(help: str = "Write JSON instead of text.") -> Callable[..., Any]:
    """Return the option `--json`; the command gets `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=help)


json_lines_option = json_option("A JSON object a line, for programs.")


def write_json(content: object, *, err: bool = False) -> None:
    """Write one JSON value, indented; `err`: to standard error."""
    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode(), err=err)


def write_json_line(content: object) -> None:
    """Write one JSON value as a line; it may have integers beyond 64 bits."""
    click.echo(json.dumps(content).decode())


def write_result(as_json: bool, content: object, text: str, *, err: bool = False) -> None:
    """Write what a command did: as one JSON value, or as text; `err`: to standard error."""
    if as_json:
        write_json(content, err=err)
    else:
        click.echo(text, err=err)
