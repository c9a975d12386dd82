"""Web pages of other origins cannot use a server without authentication."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.web.browser_guard import BrowserGuard, ForeignOrigin, UnknownHost


def ask(method: str = "GET", *, check_host: bool = True, **headers: str) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        pass

    guard = BrowserGuard(
        application,
        hosts=["api.example"],
        origins=frozenset({"https://desk.example"}),
        check_host=check_host,
    )
    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": method, "headers": pairs}
    asyncio.run(guard(scope, None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host",
    [
        *("localhost:8080", "a.localhost", "127.0.0.1", "[::1]:8080", "10.0.0.7:80", "tmf683", ""),
        *("api.example", "API.example.:443"),
    ],
)
def test_names_of_the_server_are_accepted(host: str) -> None:
    ask(host=host)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "localhost.x.y"])
def test_other_public_names_are_refused(host: str) -> None:
    with pytest.raises(UnknownHost, match="TMF_ALLOWED_HOSTS"):
        ask(host=host)
    ask(host=host, check_host=False)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8080.evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"origin": "http://localhost:8080", "sec_fetch_site": "cross-site"},
        {"origin": "http://localhost:9999"},
    ],
)
def test_unsafe_requests_of_other_origins_are_refused(headers: dict[str, str]) -> None:
    for method in ("POST", "PATCH", "DELETE"):
        with pytest.raises(ForeignOrigin):
            ask(method, host="localhost:8080", **headers)
    ask("GET", host="localhost:8080", **headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:8080"},
        {"origin": "http://localhost:8080", "sec_fetch_site": "same-origin"},
        {"origin": "https://desk.example", "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "none"},
    ],
)
def test_other_requests_are_accepted(headers: dict[str, str]) -> None:
    ask("POST", host="localhost:8080", **headers)
