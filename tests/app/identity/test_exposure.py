"""Which addresses are this machine's, and how they are opened."""

from __future__ import annotations

import pytest

from app.identity.exposure import reachable_host


@pytest.mark.parametrize(
    ("host", "opened"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("localhost", "localhost"),
    ],
)
def test_an_address_that_a_server_listens_on_can_be_opened(host: str, opened: str) -> None:
    assert reachable_host(host) == opened
