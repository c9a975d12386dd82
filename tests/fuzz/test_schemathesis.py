"""A bounded fuzz of every served operation; `make fuzz` goes on for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import OURS, OURS_V5
from tests.fuzz_run import fuzz, fuzzed_server

EXAMPLES = 6


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["conformance", "strict"])
def test_our_document_survives_fuzzing(profile: str) -> None:
    with fuzzed_server(OURS, profile) as server:
        clean, report = fuzz(server, EXAMPLES)
    assert clean, report


@pytest.mark.slow
def test_our_newer_document_survives_fuzzing() -> None:
    with fuzzed_server(OURS_V5, "conformance") as server:
        clean, report = fuzz(server, 3)
    assert clean, report


@pytest.mark.slow
def test_the_official_document_survives_fuzzing(official: Path) -> None:
    with fuzzed_server(official, "conformance") as server:
        clean, report = fuzz(server, EXAMPLES)
    assert clean, report


@pytest.mark.slow
def test_mongodb_survives_fuzzing(mongo: str) -> None:
    with fuzzed_server(OURS, "conformance", store=f"{mongo}fuzz") as server:
        clean, report = fuzz(server, EXAMPLES)
    assert clean, report
