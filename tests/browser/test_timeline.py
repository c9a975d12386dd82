"""The timeline in a real browser."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.identity.api_keys import make_key
from app.tmf630.caller import Access
from tests.browser.conftest import API, PARTY, PHONE, NewPage, create
from tests.conftest import OURS
from tests.server import Server, eventually, running_server

_LARGEST_PAGE = 200 * 1024


def address(server: Server, party: str) -> str:
    return f"{server.url}/timeline?{PARTY}={quote(party)}"


def reasons(page: Any) -> list[str]:
    return [str(each) for each in page.locator("#entries > .entry h3").all_inner_texts()]


def test_the_whole_story_of_an_agent(site: Server, new_page: NewPage) -> None:
    began, ended = "2026-03-01T23:30:00Z", "2026-03-01T23:45:00Z"
    period = {"startDateTime": began, "endDateTime": ended}
    create(site, "story", reason="Router silent", interactionDate=period)
    page = new_page()
    page.goto(site.url)
    page.get_by_role("link", name="Timeline").first.click()
    page.get_by_label("Customer's id or name").fill("name stor")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url(f"**{PARTY}=story")
    assert page.get_by_role("heading", level=1).inner_text() == "Name story"
    # The reader is in Madrid, where it was the next day.
    assert page.locator(".day h2").all_inner_texts() == ["Monday, 2 March 2026"]
    assert page.locator(".day h2").get_attribute("title") == "2026-03-01T23:30:00Z"
    time = page.locator(".entry time").first
    assert time.inner_text() == "00:30"
    assert time.get_attribute("title") == "2026-03-01T23:30:00Z"

    page.get_by_role("link", name="Log a contact").click()
    assert page.get_by_label("Customer's id").input_value() == "story"
    page.get_by_label("Direction").select_option("outbound")
    page.get_by_label("Channel").fill("phone")
    page.get_by_label("Reason").fill("Called back")
    page.get_by_label("Note").fill("Works again")
    page.get_by_role("button", name="Log a contact").click()
    page.wait_for_url(re.compile(r"/timeline/[0-9a-f-]+$"))
    assert page.get_by_text("Works again").is_visible()

    page.get_by_label("Add a note").fill("Satisfied")
    page.get_by_role("button", name="Add a note").click()
    page.get_by_text("Satisfied", exact=True).wait_for()
    page.get_by_label("Status").fill("completed")
    page.get_by_role("button", name="Change the status").click()
    page.locator(".heading .chip", has_text="completed").wait_for()

    page.get_by_role("link", name="Name story").first.click()
    page.wait_for_url(f"**{PARTY}=story")
    assert reasons(page) == ["Called back", "Router silent"]
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Direction").select_option("inbound")
    page.get_by_role("button", name="Apply filters").click()
    page.wait_for_url("**direction=inbound")
    assert reasons(page) == ["Router silent"]
    page.get_by_role("link", name="Remove this filter").click()
    page.wait_for_url(f"**{PARTY}=story")
    assert len(reasons(page)) == 2


def test_new_and_changed_contacts_appear_while_one_looks(site: Server, new_page: NewPage) -> None:
    first = create(site, "live", reason="first", status="opened")
    page = new_page()
    page.goto(address(site, "live"))
    page.locator(".entry", has_text="first").wait_for()
    create(site, "live", reason="second")
    httpx.patch(f"{site.url}{API}/{first}", json={"status": "completed"}, trust_env=False)
    page.locator(".entry", has_text="second").wait_for()
    page.locator(".entry", has_text="completed").wait_for()
    assert reasons(page) == ["second", "first"]
    assert page.get_by_role("status").inner_text() == "1 new contact"


def test_a_conflict_shows_both_sides(site: Server, new_page: NewPage) -> None:
    id = create(site, "conflict", status="opened")
    page = new_page()
    page.goto(f"{site.url}/timeline/{id}")
    httpx.patch(f"{site.url}{API}/{id}", json={"status": "cancelled"}, trust_env=False)
    page.get_by_label("Status").fill("completed")
    page.get_by_role("button", name="Change the status").click()
    box = page.get_by_role("alert")
    box.wait_for()
    assert "opened → completed" in box.inner_text()
    assert "cancelled" in box.inner_text()
    page.get_by_role("button", name="Set my status all the same").click()
    page.locator(".heading .chip", has_text="completed").wait_for()


def test_a_thousand_contacts_come_while_one_scrolls(site: Server, new_page: NewPage) -> None:
    bodies = [
        {"reason": f"n{number:04}", "interactionDate": {
            "startDateTime": f"2025-{number % 12 + 1:02}-{number % 27 + 1:02}T10:00:00Z"}}
        for number in range(1000)
    ]  # fmt: skip
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: create(site, "thousand", **body), bodies))
    page = new_page()
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
    page.goto(address(site, "thousand"))

    def all_shown() -> bool:
        # Before the layout of new entries the key scrolls to the earlier end: press it again.
        page.keyboard.press("End")
        return bool(page.locator("#entries > .entry").count() == 1000)

    assert eventually(all_shown, 120)
    found = reasons(page)
    assert sorted(found) == [f"n{number:04}" for number in range(1000)]
    assert page.locator("#older").count() == 0
    moments = page.locator("#entries > .entry").evaluate_all("all => all.map(e => e.dataset.at)")
    assert moments == sorted(moments, reverse=True)
    days = page.locator(".day h2").all_inner_texts()
    assert len(days) == len(set(days))
    assert max(sizes) < _LARGEST_PAGE


def test_signing_in_with_a_key(new_page: NewPage) -> None:
    key, entry = make_key("anna", [Access.READ, Access.WRITE])
    with running_server(OURS, env={"TMF_API_KEYS": entry}) as server:
        page = new_page()
        page.goto(f"{server.url}/timeline")
        page.get_by_label("API key").fill("tmf_wrong")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").wait_for()
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/timeline")
        assert page.get_by_text("anna").is_visible()
        cookies = page.context.cookies()
        assert [each["httpOnly"] for each in cookies] == [True] * len(cookies)
        assert {each["sameSite"] for each in cookies} == {"Strict"}
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{server.url}/timeline")
        assert "/sign-in" in page.url


def test_everything_is_reached_with_the_keyboard(site: Server, new_page: NewPage) -> None:
    create(site, "keys", reason="By keyboard")
    page = new_page()
    page.goto(f"{site.url}/timeline")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    page.keyboard.type("keys")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PARTY}=keys")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "By keyboard":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/timeline/[0-9a-f-]+$"))


PATHS = ("/", "/timeline", "/timeline/new", "/timeline/{id}", "/explore", "/nothing", "/sign-in",
         "/explore/partyInteraction.v4/partyInteraction",
         "/explore/partyInteraction.v4/partyInteraction/{id}")  # fmt: skip


@pytest.fixture(scope="module")
def rich(site: Server) -> str:
    """A contact with all there can be."""
    return create(
        site,
        "rich",
        status="inProgress",
        description="A long description " * 20,
        note=[{"text": "A note", "author": "Bo", "date": "2026-03-01T10:00:00Z"}],
        attachment=[{"name": "photo.jpg", "url": "https://files.example/p", "mimeType": "image/x"}],
        interactionItem=[{"reason": "r", "resolution": "done", "item": {
            "id": "T-1", "name": "Fault", "role": "ticket", "@referredType": "TroubleTicket",
            "href": "https://tickets.example/T-1"}}],
        extra={"words": ["a" * 200, {"deep": 1}]},
    )  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_wider_than_a_phone_or_a_page_at_twice_its_size(
    site: Server, new_page: NewPage, rich: str, path: str
) -> None:
    for size in (PHONE, {"width": 640, "height": 400}, {"width": 320, "height": 600}):
        page = new_page(viewport=size)
        page.goto(site.url + path.format(id=rich))
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], size


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(
    site: Server, new_page: NewPage, rich: str, path: str, theme: str
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe: pip install axe-playwright-python"
    ).Axe()
    page = new_page(color_scheme=theme)
    page.context.set_default_timeout(60_000)
    answer = page.goto(site.url + path.format(id=rich))
    assert int(answer.headers["content-length"]) < _LARGEST_PAGE
    for summary in page.locator("main summary").all():
        summary.click()
    # The policy refuses scripts from outside, axe's too; it is evaluated, not loaded.
    found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]})
    assert found.violations_count == 0, found.generate_report()
