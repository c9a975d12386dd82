"""The console: what operators see and do, by the operator API."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.identity.api_keys import make_key
from app.pages.formats import marked
from app.tmf630.caller import Access
from tests.app.events.receiver import receiving, status
from tests.app.pages.conftest import Open, post, token_of

HUB = "/tmf-api/partyInteraction/v4/hub"
LISTENER = "/tmf-api/partyInteraction/v4/listener/partyInteractionCreateEvent"
VIEWS = ["", "/subscriptions", "/deliveries", "/deliveries?state=parked", "/received",
         "/received?outcome=failed", "/settings"]  # fmt: skip
LOCAL = {"callback_allow": ("127.0.0.1",)}


def register(browser: TestClient, callback: str) -> str:
    answer = browser.post(HUB, json={"callback": callback})
    assert answer.status_code == 201, answer.text
    return f"partyInteraction:v4:hub:{answer.json()['id']}"


def admin(browser: TestClient, path: str) -> Any:
    return browser.get(f"/admin/{path}", headers={"accept": "application/json"}).json()


def test_every_view_answers_and_is_reached_from_the_first(browser: TestClient) -> None:
    assert 'href="/console"' in browser.get("/").text
    first = browser.get("/console").text
    for path in VIEWS:
        answer = browser.get(f"/console{path}")
        assert answer.status_code == 200, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert " style=" not in answer.text
        assert f'href="/console{path.partition("?")[0]}"' in first


def test_the_overview_tells_what_is_served(browser: TestClient) -> None:
    text = browser.get("/console").text
    assert "/tmf-api/partyInteraction/v5" in text
    assert "channel.id[]" in text
    assert "<code>memory:</code>" in text


@pytest.mark.parametrize("language", ["de", "es"])
def test_it_speaks_other_languages(browser: TestClient, language: str) -> None:
    for path in VIEWS:
        text = browser.get(f"/console{path}", headers={"accept-language": language}).text
        assert f'<html lang="{language}"' in text
        assert "console." not in text.replace("/console", "")
        assert ">ready<" not in text
        assert ">environment<" not in text


def test_a_subscription_is_paused_resumed_and_removed(open_site: Open) -> None:
    browser = open_site(delivery="off", **LOCAL)
    id = register(browser, "http://127.0.0.1:9/x")
    assert "http://127.0.0.1:9/x" in browser.get("/console/subscriptions").text
    page = f"/console/subscriptions/{id}"
    for action, state in (("pause", "paused"), ("resume", "active")):
        answer = post(browser, f"{page}/{action}", page)
        assert answer.headers["location"] == f"{page}?done={action}"
        assert admin(browser, f"subscription/{id}")["state"] == state
        assert 'role="status"' in browser.get(answer.headers["location"]).text
    answer = post(browser, f"{page}/remove", page)
    assert answer.headers["location"] == "/console/subscriptions?done=remove"
    assert admin(browser, "subscription") == []
    assert browser.get(page).status_code == 404


@pytest.mark.parametrize(
    ("answers", "says"), [("204 No Content", "accepted the test event"), ("500 No", "answered 500")]
)
def test_a_test_event_shows_what_the_listener_says(
    open_site: Open, answers: str, says: str
) -> None:
    browser = open_site(delivery="off", **LOCAL)
    with receiving() as receiver:
        receiver.answer = status(answers)
        page = f"/console/subscriptions/{register(browser, receiver.url())}"
        answer = post(browser, f"{page}/test", page)
    assert answer.status_code == 200
    assert says in answer.text


def test_why_an_event_was_not_applied_is_shown(open_site: Open) -> None:
    browser = open_site(delivery="off", listener="apply")
    event = {"eventId": "e<1>", "event": {"partyInteraction": {"reason": "no id"}}}
    id = browser.post(LISTENER, json=event).json()["id"]
    listed = browser.get("/console/received?outcome=failed").text
    reason = "/event/partyInteraction/id cannot be the id of a resource"
    assert reason in listed
    page = f"/console/received/{id}"
    shown = browser.get(page).text
    assert reason in shown
    assert "e&lt;1&gt;" in shown
    assert "e<1>" not in shown
    assert post(browser, f"{page}/apply", page).headers["location"] == f"{page}?done=apply"


def test_an_operation_that_is_not_possible_says_why(open_site: Open) -> None:
    browser = open_site(delivery="off")
    id = browser.post(LISTENER, json={"eventId": "1"}).json()["id"]
    answer = post(browser, f"/console/received/{id}/apply", "/console")
    assert answer.status_code == 409
    assert "nothing here follows" in answer.text
    answer = post(browser, "/console/subscriptions/none/pause", "/console")
    assert answer.status_code == 404


def test_nothing_is_done_without_the_token_of_a_form(open_site: Open) -> None:
    browser = open_site(delivery="off", **LOCAL)
    id = register(browser, "http://127.0.0.1:9/x")
    for path in (f"subscriptions/{id}/pause", f"subscriptions/{id}/remove", "deliveries/purge"):
        assert browser.post(f"/console/{path}", data={"csrf": "x"}).status_code == 403
        assert browser.get(f"/console/{path}").status_code in (404, 405)
    assert admin(browser, f"subscription/{id}")["state"] == "active"


def test_it_is_for_operators_alone(open_site: Open) -> None:
    reader, first = make_key("reader", [Access.READ])
    operator, second = make_key("operator", [Access.OPERATE])
    browser = open_site(delivery="off", api_keys=(first, second))
    answer = browser.get("/console", follow_redirects=False)
    assert answer.headers["location"].startswith("/sign-in")
    for key, wanted in ((reader, 403), (operator, 200)):
        form = {"key": key, "csrf": token_of(browser.get("/sign-in").text)}
        browser.post("/sign-in", data=form)
        for path in VIEWS:
            assert browser.get(f"/console{path}").status_code == wanted
        assert key not in browser.get("/console/settings").text


def test_a_page_of_a_list_that_is_not_there_is_empty(browser: TestClient) -> None:
    for offset in ("1000", "-1", "x", "9" * 30):
        answer = browser.get(f"/console/deliveries?offset={offset}")
        assert answer.status_code == 200


def test_settings_are_shown_with_value_origin_and_meaning(browser: TestClient) -> None:
    text = browser.get("/console/settings").text
    assert "<code>TMF_STORE</code>" in text
    assert "<code>memory:</code>" in text
    assert "Where documents are kept: <code>sqlite:///file.db</code>" in text


def test_what_is_in_backticks_is_code_and_all_of_it_is_escaped() -> None:
    assert marked("a `<b>` & c") == "a <code>&lt;b&gt;</code> &amp; c"
    assert marked("an `odd <one>") == "an `odd &lt;one&gt;"
