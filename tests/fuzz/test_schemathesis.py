"""A bounded fuzz with a fixed seed; `make fuzz` goes on for longer, and has every document."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.identity.api_keys import make_key
from app.tmf630.caller import Access
from tests.conftest import OURS, OURS_V5
from tests.fuzz_run import fuzz, fuzzed_server

EXAMPLES = 4
QUICK = "examples,fuzzing,stateful"


def test_our_document_survives_fuzzing() -> None:
    with fuzzed_server(OURS, "conformance") as server:
        clean, report = fuzz(server, EXAMPLES)
    assert clean, report


@pytest.mark.slow
@pytest.mark.parametrize(("document", "profile"), [(OURS, "strict"), (OURS_V5, "conformance")])
def test_its_other_forms_survive_fuzzing(document: Path, profile: str) -> None:
    with fuzzed_server(document, profile) as server:
        exact = profile == "strict"
        clean, report = fuzz(server, EXAMPLES, phases=QUICK, exact=exact)
    assert clean, report


@pytest.mark.slow
def test_what_follows_the_published_document_is_answered_as_it_says() -> None:
    with fuzzed_server(OURS_V5, "conformance") as server:
        # Stateful runs send classes that are not listed, which the server keeps and answers with.
        clean, report = fuzz(server, EXAMPLES, phases="examples,fuzzing", published=True)
    assert clean, report


@pytest.mark.slow
def test_the_official_document_survives_fuzzing(official: Path) -> None:
    with fuzzed_server(official, "conformance") as server:
        clean, report = fuzz(server, EXAMPLES, phases=QUICK)
    assert clean, report


@pytest.mark.slow
def test_a_server_that_asks_who_calls_survives_fuzzing() -> None:
    key, entry = make_key("fuzz", list(Access))
    with fuzzed_server(OURS_V5, "conformance", api_keys=entry) as server:
        clean, report = fuzz(server, EXAMPLES, phases=QUICK, key=key)
    assert clean, report


@pytest.mark.slow
def test_mongodb_survives_fuzzing(mongo: str) -> None:
    with fuzzed_server(OURS, "conformance", store=f"{mongo}fuzz") as server:
        clean, report = fuzz(server, EXAMPLES, phases=QUICK)
    assert clean, report
