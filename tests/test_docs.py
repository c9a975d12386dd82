"""Every command in the documentation runs as shown, and every module it names exists."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import OURS, OURS_V5
from tests.docs_runner import matches, run, steps_of
from tests.server import running_server

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "CONTRIBUTING.md", *DOCS]
RUNNABLE = [page for page in DOCS if steps_of(page)]
_PLACE = re.compile(r"`((?:app|handlers|storage|tests|openapi|deploy)(?:/[\w.-]+)*)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_the_commands_of_a_page_do_what_it_shows(page: Path, tmp_path: Path) -> None:
    (tmp_path / "openapi").symlink_to(ROOT / "openapi")
    steps = steps_of(page)
    with running_server(OURS, OURS_V5, store="memory:") as server:
        printed = run(steps, tmp_path, server.url)
    for step, text in zip(steps, printed, strict=True):
        shown = "\n".join(step.expected)
        assert matches(step.expected, text, server.url), (
            f"$ {step.command}\nshown:\n{shown}\nprinted:\n{text}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_module_and_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    places = [
        name
        for name in sorted(set(_PLACE.findall(text)))
        if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()
    ]
    links = [link for link in _LINK.findall(text) if not (page.parent / link).exists()]
    assert not places + links


def test_every_page_is_linked_from_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    linked = {(ROOT / "docs" / link).resolve() for link in _LINK.findall(index)}
    assert {page for page in DOCS if page.name != "README.md"} <= linked
