"""The documentation as pages: served, searched, written to a folder, without dead links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.pages.documentation.__main__ import write_site
from app.pages.documentation.library import Library, library
from app.pages.documentation.markdown import rendered
from tests.app.pages.conftest import Open


@pytest.fixture(scope="module")
def docs() -> Library:
    found = library()
    assert found is not None
    return found


def test_every_link_leads_somewhere_and_every_page_is_three_clicks_away(docs: Library) -> None:
    assert list(docs.problems()) == []
    assert {group.title for group in docs.groups} >= {
        "Tutorial", "How to", "Reference", "Explanation",
    }  # fmt: skip


def test_a_browser_reads_the_pages_and_follows_their_links(
    browser: TestClient, docs: Library
) -> None:
    first = browser.get("/docs/")
    assert first.status_code == 200
    assert 'href="/docs/how-to/find-interactions"' in first.text
    for key in docs.pages:
        page = browser.get(f"/docs/{key}")
        assert page.status_code == 200, key
        assert "docs:/" not in page.text
    assert browser.get("/docs/nothing-here").status_code == 404


def test_a_search_finds_a_section_and_shows_where(browser: TestClient) -> None:
    found = browser.get("/docs/search", params={"q": "entity tag If-Match"}).text
    assert re.search(r'href="/docs/reference/headers#\w+"', found)
    nothing = browser.get("/docs/search", params={"q": "zebra<b>"}).text
    assert "0 sections found" in nothing
    assert "zebra&lt;b&gt;" in nothing


def test_the_documentation_needs_no_key_and_goes_with_the_pages(open_site: Open) -> None:
    digest = "570cc1e61172edfaea365aca3e084a0b7ca4b62150eaac019966b300daad8b66"
    assert open_site(api_keys=f"crm:read:{digest}").get("/docs/").status_code == 200
    assert open_site(pages="off").get("/docs/").status_code == 404


def test_pictures_are_served_and_are_small(browser: TestClient, docs: Library) -> None:
    text = browser.get("/docs/how-to/pages").text
    shown = re.findall(r'<img src="/docs/(images/[^"]+\.webp)" alt="[^"]{10,}"', text)
    assert len(shown) >= 3
    for name in docs.images:
        answer = browser.get(f"/docs/{name}")
        assert answer.headers["content-type"] == "image/webp"
        assert answer.content[8:12] == b"WEBP"
    assert sum(file.stat().st_size for file in docs.images.values()) < 600_000
    assert browser.get("/docs/images/none.webp").status_code == 404


def test_addresses_move_with_the_root_path(open_site: Open) -> None:
    text = open_site(root_path="/crm").get("/crm/docs/").text
    assert 'href="/crm/docs/tutorial"' in text


def test_the_site_works_from_a_folder(docs: Library, tmp_path: Path) -> None:
    assert write_site(docs, tmp_path) == len(docs.pages)
    for file in tmp_path.rglob("*.html"):
        text = file.read_text()
        for link in re.findall(r'(?:href|src)="([^":#]+)["#]', text):
            assert (file.parent / link).is_file(), (file, link)
    assert "const docsIndex = [" in (tmp_path / "docs-index.js").read_text()


def test_markdown_becomes_html_that_is_safe_and_pastes_well() -> None:
    text = (
        "# A & B\n\nSee [it](other.md#x), [code](../app/x.py) and <script>.\n\n## A & B\n\n"
        "![shown](images/a.webp) ![badge](https://x.example/b.svg)\n\n"
        "```console\n$ echo '<a>' \\\n>   b\n<a> b\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    pages = {"docs/other.md": "/docs/other", "docs/images/a.webp": "/docs/images/a.webp"}
    made = rendered(text, "docs/page.md", pages.get)
    assert '<h1 id="a--b">' in made.html
    assert '<h2 id="a--b-1">' in made.html
    assert '<a href="/docs/other#x">it</a>' in made.html
    assert '<span class="source" title="app/x.py">code</span>' in made.html
    assert "&lt;script&gt;" in made.html
    assert '<span class="prompt">$ </span>echo &#x27;&lt;a&gt;' in made.html
    assert '<span class="prompt">&gt; </span>  b' in made.html
    assert '<span class="printed">&lt;a&gt; b</span>' in made.html
    assert '<div class="scroll"><table>' in made.html
    assert '<img src="/docs/images/a.webp" alt="shown" loading="lazy"' in made.html
    assert '<img src="https://x.example/b.svg" alt="badge"' in made.html
    links = (("docs/other.md", "x"), ("app/x.py", ""), ("docs/images/a.webp", ""))
    assert made.links == links
