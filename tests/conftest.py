"""Fixtures that several parts of the tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import OPENAPI_FOLDER
from tests.mongo.running import mongo_url

OURS = OPENAPI_FOLDER / "tmf683-v4.0.0.yaml"
OURS_V5 = OPENAPI_FOLDER / "tmf683-v5.0.0.yaml"
OFFICIAL_NAME = "TMF683-PartyInteraction-v4.0.0.swagger.json"
OFFICIAL_V5_NAME = "TMF683-Party_Interaction-v5.0.0.oas.yaml"


@pytest.fixture(scope="session")
def mongo() -> Iterator[str]:
    """The URL of a MongoDB server, with a slash at its end."""
    with mongo_url() as url:
        yield url


@pytest.fixture(scope="session")
def official() -> Path:
    """TM Forum's own TMF683 v4 document, where it is at hand."""
    return official_specs() / OFFICIAL_NAME


def official_specs() -> Path:
    """Return the folder of TM Forum's documents; skip where there is none."""
    folder = os.environ.get("TMF_OFFICIAL_SPECS")
    if not folder:
        pytest.skip("TMF_OFFICIAL_SPECS does not say where TM Forum's documents are")
    return Path(folder)
