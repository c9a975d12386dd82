"""The documentation names modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_PLACE = re.compile(r"`((?:app|handlers|storage|tests|openapi|deploy)(?:/[\w.-]+)*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_and_folder_that_a_page_names_exists(page: Path) -> None:
    named = set(_PLACE.findall(page.read_text()))
    missing = [
        name
        for name in sorted(named)
        if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()
    ]
    assert not missing
    assert named or page.name == "generators.md"
