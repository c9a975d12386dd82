"""Every command in the documentation runs as shown, and every module it names exists.

`python -m tests.test_docs` prints how many blocks are run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import OURS, OURS_V5
from tests.docs_runner import blocks_of, files_of, matches, run, steps_of
from tests.server import Server, running_server
from tmf683._test_server import reset

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
RUNNABLE = [page for page in PAGES if steps_of(page)]
_QUICK = ("README", "tutorial")
"""The pages that a stranger reads first; `make test-all` runs the others."""

_PLACE = re.compile(r"`((?:app|handlers|storage|tests|openapi|deploy)(?:/[\w.-]+)*)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


LEFT = [
    ("inbound", "hotline", "completed", "customer"),
    ("inbound", "chat", "opened", "customer"),
    ("outbound", "shop-12", "opened", "agent"),
]


def _follow_tutorial(url: str) -> None:
    """Leave contacts in the store, as readers who come from the tutorial have."""
    for direction, channel, status, role in LEFT:
        body = {"direction": direction, "reason": "Broadband fault", "status": status}
        body |= {"channel": [{"id": channel}], "relatedParty": [{"id": "4711", "role": role}]}
        path = "/tmf-api/partyInteraction/v4/partyInteraction"
        httpx.post(url + path, json=body, trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """The server that the pages speak to, and the URL of its store."""
    store = f"sqlite:///{tmp_path_factory.mktemp('docs')}/docs.db"
    with running_server(OURS, OURS_V5, store=store) as running:
        yield running, store


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "page",
    [
        page if page.stem in _QUICK else pytest.param(page, marks=pytest.mark.slow)
        for page in RUNNABLE
    ],
    ids=lambda page: page.stem,
)
def test_the_commands_of_a_page_do_what_it_shows(
    page: Path, tmp_path: Path, server: tuple[Server, str]
) -> None:
    running, store = server
    reset(store)
    if page.stem not in _QUICK:
        _follow_tutorial(running.url)
    (tmp_path / "openapi").symlink_to(ROOT / "openapi")
    for name, text in files_of(page).items():
        (tmp_path / name).write_text(text)
    steps = steps_of(page)
    printed = run(steps, tmp_path, running.url)
    for step, text in zip(steps, printed, strict=True):
        shown = "\n".join(step.expected)
        assert matches(step.expected, text, running.url), (
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


if __name__ == "__main__":
    blocks, commands = sum(map(blocks_of, RUNNABLE)), sum(len(steps_of(page)) for page in RUNNABLE)
    print(f"{len(RUNNABLE)} pages, {blocks} blocks, {commands} commands are run")
