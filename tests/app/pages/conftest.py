"""A server in this process whose pages are asked as a browser would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_contracts
from app.contract import Contract
from app.settings import Settings
from tests.conftest import OURS, OURS_V5

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
V4 = "/tmf-api/partyInteraction/v4/partyInteraction"
V5 = "/tmf-api/partyInteraction/v5/partyInteraction"

Open = Callable[..., TestClient]


@pytest.fixture(scope="session")
def contracts() -> tuple[Contract, ...]:
    """Both releases, compiled once."""
    return open_contracts(Settings(spec=(OURS, OURS_V5)))


@pytest.fixture
def open_site(contracts: tuple[Contract, ...]) -> Iterator[Open]:
    """Return a function that opens a browser at a server of its own, with settings."""
    with ExitStack() as stack:

        def open_one(served: tuple[Contract, ...] | None = None, **settings: Any) -> TestClient:
            chosen = Settings(store="memory:", access_log=False, **settings)
            if "api_keys" in settings or "oidc_issuer" in settings:
                served = open_contracts(chosen)
            app = create_app(chosen, contracts=served or contracts)
            client = TestClient(app, base_url="http://127.0.0.1:8080", headers={"accept": BROWSER})
            return stack.enter_context(client)

        yield open_one


@pytest.fixture
def browser(open_site: Open) -> TestClient:
    """A browser at a server with both releases, without authentication."""
    return open_site()


def token_of(html: str) -> str:
    """Return the token that the forms of a page send back."""
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found is not None, html
    return found[1]


def post(browser: TestClient, path: str, page: str = "/", **form: Any) -> Any:
    """Send a form as the page it is on would."""
    form["csrf"] = token_of(browser.get(page).text)
    return browser.post(path, data=form, follow_redirects=False)
