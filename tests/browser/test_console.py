"""The console in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.app.events.receiver import Receiver, accept, receiving, status
from tests.browser.conftest import PHONE, NewPage, create
from tests.conftest import OURS, OURS_V5
from tests.server import Server, eventually, running_server

HUB = "/tmf-api/partyInteraction/v4/hub"
SETTINGS = {"TMF_CALLBACK_ALLOW": "127.0.0.1", "TMF_DELIVERY_ATTEMPTS": "1"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def parked(receiver: Receiver) -> Iterator[Server]:
    """A server with a delivery that its listener has refused."""
    receiver.answer = status("400 Bad Request")
    with running_server(OURS, OURS_V5, store="memory:", env=SETTINGS) as server:
        body = {"callback": receiver.url("/crm")}
        httpx.post(server.url + HUB, json=body, trust_env=False).raise_for_status()
        create(server, "77", reason="Refused at first")

        def failed() -> int:
            answer = httpx.get(f"{server.url}/admin/delivery?state=parked", trust_env=False)
            return int(answer.headers["x-total-count"])

        assert eventually(lambda: failed() == 1)
        yield server


def test_axe_finds_nothing_and_a_phone_shows_all(parked: Server, new_page: NewPage) -> None:
    module = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe: pip install axe-playwright-python"
    )
    axe = module.Axe()
    for scheme in ("light", "dark"):
        page = new_page(viewport=PHONE, color_scheme=scheme)
        for path in ("", "/subscriptions", "/deliveries", "/received", "/settings"):
            page.goto(f"{parked.url}/console{path}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], path
            tags = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]
            found = axe.run(page, options={"runOnly": tags})
            assert not found.response["violations"], f"{path} {found.generate_report()}"


def test_a_parked_delivery_is_looked_at_and_tried_again(
    parked: Server, receiver: Receiver, new_page: NewPage
) -> None:
    page = new_page()
    page.goto(parked.url)
    page.get_by_role("link", name="Console").first.click()
    page.locator(".figures a", has_text="Parked").click()
    assert page.get_by_role("link", name=receiver.url("/crm")).is_visible()
    page.get_by_role("link", name="PartyInteractionCreateEvent").click()
    assert page.get_by_text("the listener answered 400").is_visible()
    assert "Refused at first" in page.get_by_label("Payload").inner_text()
    receiver.answer = accept
    page.get_by_role("button", name="Retry").click()
    assert eventually(lambda: len(receiver.got) == 2)
    assert receiver.got[1].body["event"]["partyInteraction"]["reason"] == "Refused at first"

    page.get_by_role("link", name="Console").first.click()
    page.get_by_role("link", name="Subscriptions", exact=True).click()
    page.get_by_role("link", name=receiver.url("/crm")).click()
    page.get_by_role("button", name="Pause").click()
    page.locator(".heading .chip", has_text="paused").wait_for()
    page.get_by_role("button", name="Send test event").click()
    page.get_by_text("The listener accepted the test event").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.locator(".heading .chip", has_text="active").wait_for()
    page.get_by_text("Remove…").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("Nobody has subscribed to events.").wait_for()
