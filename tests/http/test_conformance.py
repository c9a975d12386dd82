"""The certificate's suite passes on every store, with full and with minimal creations."""

from __future__ import annotations

import pytest

from app.conformance import load_suite, run
from app.settings import OPENAPI_FOLDER
from tests.server import Server

SUITE = OPENAPI_FOLDER / "conformance" / "tmf683-v4.0.0.yaml"


@pytest.mark.parametrize("minimal", [False, True])
def test_the_certificate_is_passed(server: Server, minimal: bool) -> None:
    outcome = run(load_suite(SUITE), server.base_url, minimal=minimal)
    failed = [
        (exchange.url, assertion)
        for exchange in outcome.exchanges
        for assertion in exchange.assertions
        if not assertion.passed
    ]
    assert len(outcome.exchanges) == 18
    assert not failed
