"""What the log says of requests that fail."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from app.identity.errors import KeysUnavailable
from app.web.errors import ErrorBoundary


def answers(error: Exception, number: int) -> list[int]:
    """Return the statuses of so many requests that end with an error."""
    found: list[int] = []

    async def app(*_: object) -> None:
        raise error

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    async def run() -> None:
        boundary = ErrorBoundary(app, allowed=lambda _: frozenset())
        for _ in range(number):
            scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "state": {}}
            await boundary(scope, None, send)  # type: ignore[arg-type]

    asyncio.run(run())
    return found


def test_keys_that_are_away_leave_a_line_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    assert answers(KeysUnavailable("away"), 50) == [503] * 50
    (line,) = caplog.records
    assert line.getMessage() == "GET failed: KeysUnavailable"
    assert not line.exc_info


def test_what_nobody_foresaw_leaves_its_traceback_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    assert answers(RuntimeError("x"), 3) == [500] * 3
    assert [bool(each.exc_info) for each in caplog.records] == [True] * 3
