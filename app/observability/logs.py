"""Logs: one stream on standard error, with a line of JSON or text for each record."""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from app.settings import Settings


class LineFormatter(logging.Formatter):
    """Formats records as lines; `fields`, given as extra, are attributes of the line."""

    def __init__(self, *, json: bool) -> None:
        super().__init__()
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = dict(getattr(record, "fields", {}))
        if record.exc_info and self._json:
            fields["exception"] = self.formatException(record.exc_info)
        line = format_line(
            record.created,
            record.levelname.lower(),
            record.name,
            record.getMessage(),
            fields,
            json=self._json,
        )
        if record.exc_info and not self._json:
            line += "\n" + self.formatException(record.exc_info)
        return line


def format_line(
    at: float, level: str, logger: str, message: str, fields: Mapping[str, Any], *, json: bool
) -> str:
    """Return a line of the log without its end; `at` is in seconds since 1970.

    JSON: `{"time": …, "level": …, "logger": …, "message": …}` and the fields. Text, for people:
    `18:03:12 info tmf683.access request operation="GET …" status=200`.
    """
    second, milliseconds = divmod(int(at * 1000 + 0.0005), 1000)  # half of a microsecond: rounded
    time = f"{_second(second)}.{milliseconds:03}Z"
    if json:
        line = {"time": time, "level": level, "logger": logger, "message": message, **fields}
        return orjson.dumps(line, default=str).decode()
    text = "".join(
        f" {name}={orjson.dumps(value, default=str).decode()}" for name, value in fields.items()
    )
    return f"{time[11:19]} {level} {logger} {_escaped(message + text)}"


@lru_cache(maxsize=2)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:-6]


def wants_json(settings: Settings) -> bool:
    """Whether lines are JSON: as set, else unless standard error is a terminal."""
    if settings.log_format == "auto":
        return not sys.stderr.isatty()
    return settings.log_format == "json"


def log_configuration(settings: Settings) -> dict[str, Any]:
    """Return the configuration of `logging`, for every process of the server."""
    level = settings.log_level.upper()
    quiet = {"handlers": ["stream"], "level": "WARNING", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": LineFormatter, "json": wants_json(settings)}},
        "handlers": {
            "stream": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"handlers": ["stream"], "level": "WARNING"},
        "loggers": {
            "app": {"level": level},
            "tmf683": {"level": level},
            "tmf683.audit": {"level": "INFO"},
            "gunicorn.error": quiet,
            "gunicorn.access": quiet,
        },
    }


def configure_logs(settings: Settings) -> None:
    """Configure the logs of this process."""
    logging.config.dictConfig(log_configuration(settings))


def _escaped(text: str) -> str:
    """Return a text with line ends and control characters escaped: it may hold a client's text."""
    if text.isprintable():
        return text
    shown = (
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
    return "".join(shown)
