"""The reference says what the code does."""

from __future__ import annotations

import re

import pytest

from app.settings import Settings
from tests.conftest import OURS, official_specs
from tests.reference.documents import described
from tests.reference.pages import PAGES, ROOT, statuses, words

FOLDER = ROOT / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_what_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text()
    assert written == PAGES[name](), "run `make reference`"


@pytest.mark.slow
def test_official_documents_are_served_as_the_page_says() -> None:
    files = sorted(official_specs().glob("TMF*"))
    written = (FOLDER / "documents.md").read_text()
    for _, cells in described(files):
        line = f"| {' | '.join(cells)} | "
        assert line in written, "run `python -m tests.reference.documents`"
        assert ", 0 failed," in written.partition(line)[2].partition("\n")[0]


def test_every_setting_has_an_example_that_it_takes() -> None:
    told = words("settings")
    assert told.keys() == Settings.model_fields.keys()
    identity = {"oidc_issuer": "https://x.example", "oidc_audience": "x", "jwks": "https://x"}
    for name, (example, since) in told.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", since)
        of_tokens = (*identity, "party_claim", "console_client_id")
        beside = identity if name in of_tokens else {}
        beside = {"spec": (OURS,)} if name == "base_path" else beside
        assert getattr(Settings(**{**beside, name: example}), name) is not None


def test_every_error_code_has_a_cause_and_a_cure() -> None:
    told = words("errors")
    assert told.keys() == statuses().keys()
    assert all(entry.keys() == {"cause", "cure"} for entry in told.values())
