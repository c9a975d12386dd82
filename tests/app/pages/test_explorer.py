"""The explorer: every resource as a table, with filters, and its references as links."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.bootstrap import open_contracts
from app.pages.explorer.resources import values_at
from app.pages.formats import breakable
from app.settings import Settings
from tests.app.pages.conftest import V4, V5, Open
from tests.app.pages.test_timeline import create, v4, v5
from tests.conftest import official_specs

PAGE = "/explore/partyInteraction.v4/partyInteraction"


def cells(page: str) -> list[str]:
    """Return the texts of a table's cells."""
    found = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", page, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", each)).strip() for each in found]


def test_every_resource_is_listed(browser: TestClient) -> None:
    page = browser.get("/explore").text
    assert f'href="{PAGE}"' in page
    assert f'href="{PAGE.replace("v4", "v5")}"' in page


def test_a_table_has_the_indexed_attributes(browser: TestClient) -> None:
    id = create(browser, v4())
    page = browser.get(PAGE).text
    shown = cells(page)
    for each in ("status", "direction", "relatedParty.id", "channel.id"):
        assert each in shown
    for each in (id, "opened", "inbound", "42", "hotline"):
        assert each in shown
    assert f'href="{PAGE}/{id}"' in page


def test_an_api_without_a_version_is_the_last_one_served(browser: TestClient) -> None:
    create(browser, v5(), V5)
    page = browser.get("/explore/partyInteraction/partyInteraction").text
    assert "relatedParty.partyOrPartyRole.id" in cells(page)


def test_filters_are_those_of_the_api(browser: TestClient) -> None:
    create(browser, v4(reason="one"))
    create(browser, v4(reason="two", direction="outbound"))
    page = browser.get(PAGE, params={"direction": "outbound", "reason": ""})
    assert str(page.url).endswith("?direction=outbound")
    assert "two" in cells(page.text)
    assert "one" not in cells(page.text)
    assert "1 resource" in page.text
    wrong = browser.get(PAGE, params={"filter": "$[?(nonsense"})
    assert wrong.status_code == 400
    assert 'role="alert"' in wrong.text


def test_pages_follow_each_other_without_gap(browser: TestClient) -> None:
    for number in range(120):
        create(browser, v4(reason=f"n{number:03}"))
    address, seen = PAGE, []
    while address:
        page = browser.get(address).text
        seen += re.findall(r"\bn\d{3}\b", page)
        more = re.search(r'<p class="older"><a class="button" href="([^"]+)"', page)
        address = html.unescape(more[1]) if more else ""
    assert sorted(seen) == [f"n{number:03}" for number in range(120)]


def test_one_resource_is_shown_whole_with_links_to_what_is_here_alone(
    browser: TestClient,
) -> None:
    other = create(browser, v4(reason="other"))
    href = f"http://127.0.0.1:8080{V4}/{other}"
    item = {"role": "about", "id": other, "href": href, "@referredType": "PartyInteraction"}
    gone = {"role": "about", "id": "gone", "href": f"http://127.0.0.1:8080{V4}/gone"}
    typed = {"role": "about", "id": other, "@referredType": "PartyInteraction"}
    id = create(
        browser,
        v4(interactionItem=[{"item": each} for each in (item, gone, typed)], extra={"deep": [1]}),
    )
    page = browser.get(f"{PAGE}/{id}").text
    targets = re.findall(r'<p class="to"><a href="([^"]+)"', page)
    assert targets == [f"{PAGE}/{other}", f"{PAGE.replace('v4', 'v5')}/{other}"]
    assert "extra" in page
    assert "deep" in page
    assert f'href="{V4}/{id}"' in page  # JSON


@pytest.mark.parametrize(
    "path",
    ["/explore/nope/x", f"{PAGE}x", f"{PAGE}/nope", "/explore/partyInteraction.v4/hub"],
)
def test_what_is_not_there_is_a_page(browser: TestClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "<h1>" in answer.text


def test_another_api_is_explored_without_a_timeline(open_site: Open) -> None:
    specs = sorted(official_specs().glob("TMF620*"))
    if not specs:
        pytest.skip("no TMF620 document: name a folder with it in TMF_OFFICIAL_SPECS")
    browser = open_site(open_contracts(Settings(spec=(specs[-1],))))
    page = browser.get("/explore").text
    links = re.findall(r'href="(/explore/[^"]+)"', page)
    assert len(links) > 3
    for link in links:
        assert browser.get(link).status_code == 200
    assert browser.get("/timeline").status_code == 404
    assert "/timeline" not in page


@pytest.mark.parametrize(
    ("resource", "path", "values"),
    [
        ({"a": 1}, "a", [1]),
        ({"a": [{"b": 1}, {"b": 2}, {}, 3]}, "a.b", [1, 2]),
        ({"a": None}, "a", []),
        ({"a": {"b": [1, 2]}}, "a.b", [1, 2]),
        ({"a": "text"}, "a.b", []),
    ],
)
def test_values_at_a_path(resource: Any, path: str, values: list[Any]) -> None:
    assert values_at(resource, path) == values


def test_long_names_may_break_after_dots() -> None:
    assert breakable("relatedParty.<id>") == "relatedParty.<wbr>&lt;id&gt;"
