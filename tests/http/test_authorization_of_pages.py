"""The cases of `test_authorization`, through the pages: they refuse whom the API refuses.

A row becomes a request for each page that sends the operation of the row to the API. Tokens reach
the pages in a header, as from a proxy in front; keys by signing in too.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.app.pages.conftest import BROWSER, token_of
from tests.http.conftest import MINIMAL
from tests.http.test_authorization import (
    CALLERS,
    CRM,
    LIST4,
    LIST5,
    LISTS,
    NOTE,
    OPERATIONS,
    SHOP,
    Guarded,
    guarded_server,
    shown,
    with_parties,
)

TABLES = {LIST4: "/explore/partyInteraction.v4/partyInteraction",
          LIST5: "/explore/partyInteraction/partyInteraction"}  # fmt: skip
KEYS = {"crm": CRM, "shop": SHOP}

Row = tuple[str, str, str, Any, int]


def pages_of(row: Row) -> list[tuple[str, dict[str, str] | None]]:
    """Return the pages that send a row's request to the API, and the form for each."""
    _, method, path, body, _ = row
    base = next((each for each in TABLES if path == each or path.startswith(f"{each}/{{")), "")
    one = path.removeprefix(base)
    if not base or "?" in path:
        return []
    if method in ("GET", "HEAD"):
        pages = [f"/json{path}", f"{TABLES[base]}{one}"]
        return [(each, None) for each in [*pages, f"/timeline{one}"]]
    if method == "PATCH" and body.items() >= NOTE.items():
        return [
            (f"/timeline{one}/note", {"text": "changed"}),
            (f"/timeline{one}/status", {"status": "completed"}),
        ]
    for parties in ((), ("A",), ("B",)):
        if method == "POST" and body == with_parties(*parties):
            form = {"direction": "inbound", "channel": "555", "reason": MINIMAL["reason"]}
            return [("/timeline/new", form | ({"party": parties[0]} if parties else {}))]
    return []


CASES = [
    pytest.param(row, page, form, id=f"{shown(row)} by {page}")
    for row in OPERATIONS
    for page, form in pages_of(row)
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_server(tmp_path_factory.mktemp("keys")) as found:
        yield found


@contextmanager
def browser_of(guarded: Guarded, caller: str, *, signs_in: bool = False) -> Iterator[httpx.Client]:
    """Open a browser that has the caller's credentials in a header, or in its session."""
    accept = {"Accept": BROWSER}
    with httpx.Client(
        base_url=guarded.client.base_url,
        headers=accept if signs_in else accept | CALLERS[caller],
        trust_env=False,
        timeout=60,
    ) as client:
        if signs_in:
            form = {"key": KEYS[caller], "csrf": token_of(client.get("/sign-in").text)}
            assert client.post("/sign-in", data=form).status_code == 303
        yield client


@pytest.mark.parametrize(("row", "page", "form"), CASES)
def test_a_page_does_for_a_caller_what_the_api_does(
    guarded: Guarded, row: Row, page: str, form: dict[str, str] | None
) -> None:
    caller, status = row[0], row[4]
    for name, id in guarded.ids.items():
        page = page.replace(f"{{{name}}}", id)
    for signs_in in (False, True) if caller in KEYS else (False,):
        with browser_of(guarded, caller, signs_in=signs_in) as browser:
            if form is None:
                answer = browser.get(page)
            else:
                token = {"csrf": token_of(browser.get("/sign-in").text)}
                answer = browser.post(page, data=form | token)
        location = answer.headers.get("location", "")
        if status == 401:
            assert (answer.status_code, location[:9]) == (303, "/sign-in?"), answer.text
        elif status >= 400 or form is None:
            assert answer.status_code == status, answer.text
        else:
            assert (answer.status_code, location[:10]) == (303, "/timeline/"), answer.text


def test_there_is_a_page_for_most_rows() -> None:
    methods = {case.values[0][1] for case in CASES}
    statuses = {case.values[0][4] for case in CASES}
    assert methods == {"GET", "HEAD", "POST", "PATCH"}
    assert statuses == {200, 201, 401, 403, 404}
    assert len({case.values[0][0] for case in CASES}) >= 20


@pytest.mark.parametrize(
    "query", [each for each in LISTS if not each.startswith(("?f", "?l", "?o"))]
)
@pytest.mark.parametrize("base", TABLES)
def test_a_table_holds_what_is_the_callers(guarded: Guarded, base: str, query: str) -> None:
    asked = query
    for name, id in guarded.ids.items():
        asked = asked.replace(f"{{{name}}}", id)
    if base == LIST5:
        asked = asked.replace("relatedParty.id", "relatedParty.partyOrPartyRole.id")
    with browser_of(guarded, "A") as browser:
        answer = browser.get(f"{TABLES[base]}{asked}")
    assert answer.status_code == 200, answer.text
    linked = set(re.findall(r'href="/explore/[\w.]+/\w+/([^"]+)"', answer.text))
    assert {name for name in ("A", "B", "AB", "none") if guarded.ids[name] in linked} == LISTS[
        query
    ]


def test_a_timeline_shows_what_is_the_callers(guarded: Guarded) -> None:
    with browser_of(guarded, "A") as browser:
        of_b = browser.get("/timeline?party=B", follow_redirects=True)
        found = browser.get("/timeline?search=B", follow_redirects=True)
    assert of_b.status_code == found.status_code == 200
    for text in (html.unescape(of_b.text), html.unescape(found.text)):
        assert guarded.ids["B"] not in text
    assert guarded.ids["AB"] in of_b.text


def test_the_console_and_the_operator_api_ask_for_the_same(guarded: Guarded) -> None:
    for caller in ("read", "write", "subscribe", "operate", "everything", "A", "crm", "nobody"):
        api = guarded.call(caller, "GET", "/admin/subscription").status_code
        with browser_of(guarded, caller) as browser:
            answer = browser.get("/console/subscriptions")
        assert answer.status_code == {401: 303}.get(api, api), caller
