"""How templates show values: dates, icons, short ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from markupsafe import Markup, escape

_STROKES: dict[str, str] = orjson.loads(Path(__file__).with_name("icons.json").read_bytes())
"""The path of each symbol on a field of 24 by 24."""


def icon(name: str) -> Markup:
    """Return a symbol; it only repeats what a word beside it says, so readers skip it."""
    path = _STROKES.get(name, _STROKES["other"])
    return Markup(
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">'
        '<path d="{}"/></svg>'
    ).format(path)


def instant(text: object) -> datetime | None:
    """Return the instant that an RFC 3339 text states, None for anything else."""
    if not isinstance(text, str) or len(text) < 10:
        return None
    try:
        found = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def moment(text: object, style: str = "datetime") -> Markup:
    """Return a date as an element that the script shows in the reader's time zone.

    Without the script it is in UTC. The exact value is its title. `style` is `datetime`, `date` or
    `time`.
    """
    at = instant(text)
    if at is None:
        return Markup("{}").format("" if text is None else text)
    patterns = {"datetime": "%Y-%m-%d %H:%M UTC", "date": "%Y-%m-%d", "time": "%H:%M UTC"}
    shown = at.astimezone(UTC).strftime(patterns[style])
    return Markup('<time datetime="{}" title="{}" data-style="{}">{}</time>').format(
        text, text, style, shown
    )


def shortened(text: object, length: int = 60) -> str:
    """Return a text cut to a length."""
    whole = str(text)
    return whole if len(whole) <= length else f"{whole[: length - 1]}…"


def indented(value: object) -> str:
    """Return a value as JSON that people can read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def marked(text: str) -> Markup:
    """Return a text with what is in backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


def breakable(name: object) -> Markup:
    """Return a dotted name that lines may break after its dots."""
    return Markup(".<wbr>").join(str(name).split("."))


FILTERS: dict[str, Callable[..., Any]] = {
    "breakable": breakable,
    "icon": icon,
    "marked": marked,
    "indented": indented,
    "moment": moment,
    "shortened": shortened,
}
