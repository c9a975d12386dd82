"""Logs: one stream on standard error, a line of JSON or text for each thing that is told."""

from __future__ import annotations

import logging
import logging.config
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from app.settings import Settings


class JsonLines(logging.Formatter):
    """A line of JSON: time, level, logger, message, and the `fields` that were given as extra."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class TextLines(logging.Formatter):
    """The same for people: `18:03:12 info tmf683.access request operation="GET …" status=200`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        told = "".join(
            f" {name}={orjson.dumps(value, default=str).decode()}" for name, value in fields.items()
        )
        level = record.levelname.lower()
        line = f"{_time(record)[11:19]} {level} {record.name} {_plain(record.getMessage() + told)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def log_configuration(settings: Settings) -> dict[str, Any]:
    """Return the configuration of `logging`, for whichever process it is."""
    wanted = settings.log_format
    if wanted == "auto":
        wanted = "text" if sys.stderr.isatty() else "json"
    level = settings.log_level.upper()
    quiet = {"handlers": ["stream"], "level": "WARNING", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": JsonLines if wanted == "json" else TextLines}},
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
    """Let this process log as the settings say."""
    logging.config.dictConfig(log_configuration(settings))


def _plain(text: str) -> str:
    """Return a text, some of it a client's, without what ends the line or steers a terminal."""
    if text.isprintable():
        return text
    shown = (
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
    return "".join(shown)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
