"""A real browser, and servers for it to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.chromium import MISSING, executable
from tests.conftest import OURS, OURS_V5
from tests.server import Server, running_server

API = "/tmf-api/partyInteraction/v4/partyInteraction"
PARTY = "relatedParty.partyOrPartyRole.id"
PHONE = {"width": 390, "height": 844}

NewPage = Callable[..., Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker("browser")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser; skips where it, or what drives it, is not installed.

    It ends with the module: while Playwright lives, an event loop counts as running in this thread,
    and tests of other modules start their own.
    """
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="no Playwright: make .venv/dev, or pip install playwright"
    )
    path = executable()
    if path is None:
        pytest.skip(MISSING)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Any) -> Iterator[NewPage]:
    """Return a function that opens a page; the test fails when its script or policy does."""
    opened: list[tuple[Any, list[str]]] = []

    def open_page(**options: Any) -> Any:
        context = chromium.new_context(
            **{"timezone_id": "Europe/Madrid", "locale": "en-GB", **options}
        )
        context.set_default_timeout(30_000)
        page = context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: (
                problems.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        opened.append((context, problems))
        return page

    yield open_page
    for context, problems in opened:
        context.close()
        assert not problems


@pytest.fixture(scope="module")
def site() -> Iterator[Server]:
    """A server with both releases, without authentication."""
    with running_server(OURS, OURS_V5) as server:
        yield server


def contact(party: str, **attributes: Any) -> dict[str, Any]:
    """Return a contact of a party."""
    return {
        "direction": "inbound",
        "reason": "Line down",
        "channel": [{"id": "hotline", "name": "Hotline"}],
        "relatedParty": [{"id": party, "name": f"Name {party}", "role": "customer"}],
    } | attributes


def create(server: Server, party: str, **attributes: Any) -> str:
    """Store a contact of a party and return its id."""
    answer = httpx.post(server.url + API, json=contact(party, **attributes), trust_env=False)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
