"""How many requests a worker takes at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.web.limits.admission import Admission
from app.web.limits.errors import Overloaded
from app.web.management import managed_paths


@pytest.mark.parametrize("path", ["/health/live", "/release/health/ready", "/release/metrics"])
def test_operators_are_answered_when_there_is_no_room(path: str) -> None:
    async def run() -> list[str]:
        leave, entered = asyncio.Event(), []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            entered.append(scope["path"])
            if scope["path"] == "/slow":
                await leave.wait()

        admission = Admission(application, most=1, seconds=5, managed=managed_paths("/release"))

        async def ask(path: str) -> None:
            await admission({"type": "http", "path": path}, None, None)  # type: ignore[arg-type]

        slow = asyncio.create_task(ask("/slow"))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await ask("/release/health")
        await ask(path)
        leave.set()
        await slow
        return entered

    assert asyncio.run(run()) == ["/slow", path]
