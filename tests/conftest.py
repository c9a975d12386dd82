"""Fixtures shared by all tests, markers derived from fixtures, a report of what did not run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import OPENAPI_FOLDER
from tests.mongo.running import mongo_url

OURS = OPENAPI_FOLDER / "tmf683-v4.0.0.yaml"
OURS_V5 = OPENAPI_FOLDER / "tmf683-v5.0.0.yaml"
OFFICIAL_NAME = "TMF683-PartyInteraction-v4.0.0.swagger.json"
OFFICIAL_V5_NAME = "TMF683-Party_Interaction-v5.0.0.oas.yaml"
NO_OFFICIAL_SPECS = (
    "no official documents: download TM Forum's OpenAPI files into a folder"
    " and name it in TMF_OFFICIAL_SPECS"
)
FOLDER_MARKS = {"deploy": "deploy", "mongo": "mongo"}
"""The marker that every test of a folder of `tests` has."""


@pytest.fixture(scope="session")
def mongo() -> Iterator[str]:
    """The URL of a MongoDB server, with a slash at its end."""
    with mongo_url() as url:
        yield url


@pytest.fixture(scope="session")
def official() -> Path:
    """TM Forum's own TMF683 v4 document; the test is skipped where it is not available."""
    return official_specs() / OFFICIAL_NAME


def official_specs() -> Path:
    """Return the folder of TM Forum's documents; skip the test where there is none."""
    folder = os.environ.get("TMF_OFFICIAL_SPECS")
    if not folder:
        pytest.skip(NO_OFFICIAL_SPECS)
    return Path(folder)


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a MongoDB, by fixture or parameter, and what a folder's tests have in common.

    Only the parameter of a fixture or test that is the text "mongo" counts.
    """
    tests = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(tests).parts[0]
        if folder in FOLDER_MARKS:
            item.add_marker(FOLDER_MARKS[folder])
        if isinstance(item, pytest.Function):
            parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
            if "mongo" in item.fixturenames or any(each == "mongo" for each in parameters):
                item.add_marker("mongo")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each reason to skip, and what the marker expression left out."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")
    left_out = terminalreporter.config.option.markexpr
    if left_out.startswith("not "):
        names = left_out.removeprefix("not ").strip("()").replace(" or ", ", ")
        how = "make test-long" if names == "long" else "make test-all"
        terminalreporter.write_line(f"not selected: tests marked {names} ({how} runs them)")
