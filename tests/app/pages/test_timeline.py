"""The timeline: every contact of a party, whichever release wrote it, and what agents do to it."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from app.bootstrap import open_contracts
from app.identity.api_keys import make_key
from app.pages.timeline.entries import duration, entry_of
from app.settings import Settings
from app.tmf630.caller import Access
from tests.app.pages.conftest import V4, V5, Open, post, token_of
from tests.conftest import OURS, OURS_V5

PARTY = "relatedParty.partyOrPartyRole.id"


def v4(**attributes: Any) -> dict[str, Any]:
    """Return a contact of customer 42 as release 4 has it."""
    return {
        "direction": "inbound",
        "reason": "Line down",
        "channel": [{"id": "hotline", "name": "Hotline"}],
        "relatedParty": [{"id": "42", "name": "Ana Ruiz", "role": "customer"}],
    } | attributes


def v5(**attributes: Any) -> dict[str, Any]:
    """Return the same as release 5 has it."""
    return {
        "@type": "PartyInteraction",
        "direction": "inbound",
        "reason": "Line down",
        "relatedChannel": [
            {
                "@type": "RelatedChannel",
                "role": "used",
                "channel": {"@type": "ChannelRef", "id": "hotline", "name": "Hotline"},
            }
        ],
        "relatedParty": [
            {
                "@type": "RelatedPartyOrPartyRole",
                "role": "customer",
                "partyOrPartyRole": {"@type": "PartyRef", "id": "42", "name": "Ana Ruiz"},
            }
        ],
    } | attributes


def on(day: str, hour: int = 9) -> dict[str, Any]:
    """Return when a contact was."""
    return {"interactionDate": {"startDateTime": f"{day}T{hour:02}:00:00Z"}}


def create(browser: TestClient, resource: dict[str, Any], path: str = V4) -> str:
    answer = browser.post(path, json=resource)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def reasons(page: str) -> list[str]:
    """Return the reasons of the entries of a page, in order."""
    return [
        html.unescape(each) for each in re.findall(r'<h3 id="reason-[^"]*"><a [^>]*>([^<]*)', page)
    ]


def timeline(browser: TestClient, party: str = "42", **filters: str) -> str:
    answer = browser.get(f"/timeline?{urlencode({PARTY: party} | filters)}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_contacts_of_a_party_are_listed_newest_first_by_day(browser: TestClient) -> None:
    create(browser, v4(reason="second", **on("2026-03-02")))
    create(browser, v5(reason="first", **on("2026-03-01")), V5)
    create(browser, v4(reason="third", **on("2026-03-02", 15)))
    create(browser, v4(reason="other", relatedParty=[{"id": "43", "role": "customer"}]))
    page = timeline(browser)
    assert reasons(page) == ["third", "second", "first"]
    days = re.findall(r'<li class="day"><h2><time datetime="([^"]{10})', page)
    assert days == ["2026-03-02", "2026-03-01"]
    assert "Ana Ruiz" in page
    assert "3 contacts" in page


def test_a_contact_without_a_date_stands_where_it_was_stored(browser: TestClient) -> None:
    create(browser, v4(reason="long ago", **on("2020-03-02")))
    create(browser, v5(reason="just now"), V5)
    assert reasons(timeline(browser)) == ["just now", "long ago"]


def test_undated_contacts_are_among_the_newest_of_many_and_none_is_lost(
    browser: TestClient,
) -> None:
    for number in range(30):
        create(browser, v4(reason=f"n{number:02}", **on(f"2020-01-{number + 1:02}")))
    create(browser, v5(reason="just now"), V5)
    first = timeline(browser)
    assert reasons(first)[:2] == ["just now", "n29"]
    second = browser.get(older(first)).text
    assert sorted({*reasons(first), *reasons(second)}) == [
        "just now",
        *(f"n{number:02}" for number in range(30)),
    ]


def older(page: str) -> str:
    found = re.search(r'id="older" class="button" href="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


def test_both_releases_look_alike(browser: TestClient) -> None:
    parts = {
        "description": "No sync",
        "status": "opened",
        "interactionDate": {
            "startDateTime": "2026-03-01T10:00:00Z",
            "endDateTime": "2026-03-01T10:07:30Z",
        },
    }
    first = create(browser, v4(**parts))
    second = create(browser, v5(**parts), V5)
    page = timeline(browser)
    cards = re.findall(r'<li class="entry".*?</li>\n', page, re.DOTALL)
    assert len(cards) == 2
    shown = [
        re.sub(r'data-digest="\w+"', "", card).replace(first, "ID").replace(second, "ID")
        for card in cards
    ]
    assert shown[0] == shown[1]
    for each in ("Inbound", "Hotline", "7 min 30 s", "No sync", "opened"):
        assert each in shown[0]


@pytest.mark.parametrize("spec", [OURS, OURS_V5], ids=["v4", "v5"])
def test_either_release_alone_has_a_timeline_and_takes_contacts(open_site: Open, spec: Any) -> None:
    browser = open_site(open_contracts(Settings(spec=(spec,))))
    answer = post(
        browser,
        "/timeline/new",
        "/timeline/new",
        party="42",
        party_name="Ana Ruiz",
        direction="inbound",
        channel="phone",
        reason="Line down",
        status="opened",
        note="Promised a call back",
    )
    assert answer.status_code == 303, answer.text
    detail = browser.get(answer.headers["location"]).text
    for each in ("Line down", "Ana Ruiz", "phone", "Promised a call back", "Inbound"):
        assert each in detail
    assert reasons(browser.get("/timeline?party=42").text) == ["Line down"]


def test_everything_of_a_contact_is_shown(browser: TestClient) -> None:
    other = create(browser, v4(reason="before"))
    create(
        browser,
        v4(
            note=[{"text": "Router restarted", "author": "Bo", "date": "2026-03-01T10:00:00Z"}],
            attachment=[{"name": "photo.jpg", "url": "https://files.example/p"}],
            interactionRelationship=[{"id": other, "relationshipType": "followUp"}],
            interactionItem=[
                {
                    "reason": "No light",
                    "resolution": "Cable replaced",
                    "item": {
                        "id": "T-77",
                        "name": "Fault T-77",
                        "role": "ticket",
                        "@referredType": "TroubleTicket",
                        "href": "https://tickets.example/T-77",
                    },
                    "mood": "calm",
                }
            ],
            sentiment={"score": 0.3, "words": ["slow", "again"]},
        ),
    )  # fmt: skip
    page = timeline(browser)
    for each in (
        "Router restarted", "Bo", "photo.jpg", 'href="https://files.example/p"', "followUp",
        f'href="/timeline/{other}"', "No light", "Cable replaced", "Fault T-77", "TroubleTicket",
        'href="https://tickets.example/T-77"', "mood", "calm", "sentiment", "0.3", "again",
    ):  # fmt: skip
        assert each in page, each


def test_an_address_that_is_no_web_address_is_no_link(browser: TestClient) -> None:
    bad = "javascript:alert(1)"
    item = {"id": "1", "role": "ticket", "href": bad}
    attachment = {"name": "file", "url": bad}
    create(browser, v4(attachment=[attachment], interactionItem=[{"item": item}]))
    assert bad not in timeline(browser)


def test_what_clients_store_is_escaped(browser: TestClient) -> None:
    evil = "<img src=x onerror=alert(1)>"
    note = {"text": evil, "author": evil, "date": "2026-03-01T10:00:00Z"}
    create(
        browser,
        v4(reason=evil, description=evil, status=evil, extra={evil: [evil]}, note=[note]),
    )
    page = timeline(browser)
    assert "<img" not in page
    assert reasons(page) == [evil]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"direction": "outbound"}, ["offer"]),
        ({"status": "completed"}, ["offer"]),
        ({"channel.id": "mail"}, ["offer"]),
        ({"text": "OFF"}, ["offer"]),
        ({"text": "d.t"}, []),
        ({"text": "dot . and (more) 'quoted'"}, ["fault"]),
        ({"interactionDate.startDateTime.gte": "2026-03-02"}, ["offer"]),
        ({"until": "2026-03-01"}, ["fault"]),
        ({"until": "2026-03-02", "interactionDate.startDateTime.gte": "2026-03-02"}, ["offer"]),
        ({"filter": "$[?(@.status=='completed')]"}, ["offer"]),
        ({"status": "opened,completed", "sort": "reason"}, ["fault", "offer"]),
    ],
)
def test_filters_are_those_of_the_api_and_live_in_the_address(
    browser: TestClient, filters: dict[str, str], found: list[str]
) -> None:
    create(browser, v4(reason="fault", description="dot . and (more) 'quoted'", **on("2026-03-01")))
    create(browser, v4(reason="offer", direction="outbound", status="completed",
                       channel=[{"id": "mail"}], **on("2026-03-02")))  # fmt: skip
    answer = browser.get(f"/timeline?{urlencode({PARTY: '42'} | filters)}")
    assert answer.status_code == 200, answer.text
    assert reasons(answer.text) == found
    address = str(answer.url).partition("?")[2]
    same = browser.get(f"{V5}?{address}").json()
    assert sorted(each["reason"] for each in same) == sorted(found)
    assert browser.get(f"/timeline?{address}", follow_redirects=False).status_code == 200


def test_a_chip_removes_its_filter(browser: TestClient) -> None:
    create(browser, v4())
    page = timeline(browser, direction="outbound")
    chip = re.search(r'<a class="chip accent" href="([^"]+)"', page)
    assert chip is not None
    assert reasons(browser.get(html.unescape(chip[1])).text) == ["Line down"]


def test_a_filter_that_has_no_meaning_is_explained_on_the_page(browser: TestClient) -> None:
    answer = browser.get("/timeline?creationDate.gte=yesterday")
    assert answer.status_code == 400
    assert "creationDate" in answer.text
    assert 'role="alert"' in answer.text
    assert 'name="search"' in answer.text


def test_older_contacts_follow_by_cursor(browser: TestClient) -> None:
    for number in range(60):
        create(browser, v4(reason=f"{number:02}", **on("2026-01-01", number % 24)))
    page, seen = timeline(browser), []
    while True:
        seen += reasons(page)
        if 'id="older"' not in page:
            break
        page = browser.get(older(page)).text
    assert len(seen) == 60
    assert len(set(seen)) == 60


def test_the_first_view_asks_for_one_party_by_the_indexed_attribute(browser: TestClient) -> None:
    page = timeline(browser)
    shown = re.search(r'<a href="(/tmf-api[^"?]+\?[^"]+)"', page)
    assert shown is not None
    assert f"{PARTY}=42" in html.unescape(shown[1])


def test_json_and_curl_show_the_request_behind_a_view(browser: TestClient) -> None:
    create(browser, v4(reason="it's"))
    page = timeline(browser, text="it's")
    command = re.search(r'<pre tabindex="0" aria-label="curl">([^<]+)', page)
    link = re.search(r'<a href="(/tmf-api[^"?]+\?[^"]+)"', page)
    assert command is not None
    assert link is not None
    address = html.unescape(link[1])
    assert html.unescape(command[1]).startswith("curl -g ")
    assert address.partition("?")[0] in command[1]
    assert [each["reason"] for each in browser.get(address).json()] == ["it's"]


@pytest.mark.parametrize("page", ["/timeline", "/explore/partyInteraction.v4/partyInteraction"])
def test_no_answer_leads_to_an_address_that_proxies_refuse(browser: TestClient, page: str) -> None:
    long = {"party": "", "reason": "x" * 5000}
    answer = browser.get(page, params=long, follow_redirects=False)
    assert sum(len(name) + len(value) for name, value in answer.headers.items()) < 3000
    assert "location" not in answer.headers


@pytest.mark.parametrize("search", ["42", "ana ruiz", "RUIZ", "uiz"])
def test_a_party_is_found_by_id_or_by_a_part_of_its_name(browser: TestClient, search: str) -> None:
    create(browser, v4())
    answer = browser.get("/timeline", params={"search": search}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/timeline?{PARTY}=42"


def test_several_parties_are_offered(browser: TestClient) -> None:
    create(browser, v4())
    lopez = {"@type": "PartyRef", "id": "7", "name": "Ana (Lopez)"}
    related = {"@type": "RelatedPartyOrPartyRole", "role": "customer", "partyOrPartyRole": lopez}
    create(browser, v5(relatedParty=[related]), V5)
    page = browser.get("/timeline", params={"search": "ana"}).text
    assert "2 customers" in page
    assert f'href="/timeline?{PARTY}=7"' in page
    assert "Ana Ruiz" in page
    page = browser.get("/timeline", params={"search": "a.a*["}).text
    assert "No contact names such a customer" in page
    assert browser.get("/timeline", params={"search": "(lop"}).history


def test_names_are_looked_for_in_recent_contacts_first(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pages.timeline.search.RECENT", 2)
    for number, name in enumerate(["Ana Ruiz", "Ben Ruiz", "Cem Ruiz", "Dan Lee"]):
        party = {**v4()["relatedParty"][0], "id": f"p{number}", "name": name}
        create(browser, v4(relatedParty=[party], creationDate=f"2026-01-0{number + 1}T00:00:00Z"))
    page = browser.get("/timeline", params={"search": "ruiz"}).text
    assert "Ana Ruiz" not in page
    assert "Cem Ruiz" in page
    further = re.search(r'href="([^"]+everywhere=true)"', page)
    assert further is not None
    page = browser.get(html.unescape(further[1])).text
    assert "3 customers" in page
    assert "Look in all contacts" not in page
    none = browser.get("/timeline", params={"search": "ana"}).text
    assert "Look in all contacts" in none
    answer = browser.get("/timeline?search=ana&everywhere=true", follow_redirects=False)
    assert answer.headers["location"] == f"/timeline?{PARTY}=p0"
    answer = browser.get("/timeline?search=p0", follow_redirects=False)
    assert answer.headers["location"] == f"/timeline?{PARTY}=p0"


def test_a_refused_contact_comes_back_with_what_the_contract_says_of_each_field(
    browser: TestClient,
) -> None:
    answer = post(browser, "/timeline/new", "/timeline/new", direction="inbound", note="kept",
                  start="yesterday")  # fmt: skip
    assert answer.status_code == 400
    for field in ("reason", "channel", "start"):
        assert f'id="{field}-error"' in answer.text
        assert f'aria-describedby="{field}-error"' in answer.text
    assert "kept" in answer.text
    assert browser.get(V4).json() == []


def test_a_local_time_becomes_an_instant(browser: TestClient) -> None:
    post(browser, "/timeline/new", "/timeline/new", direction="inbound", channel="phone",
         reason="x", start="2026-03-01T10:00", end="2026-03-01T10:30", offset="-60")  # fmt: skip
    stored = browser.get(V4).json()[0]["interactionDate"]
    assert stored["startDateTime"].startswith("2026-03-01T09:00:00")
    assert "30 min" in browser.get("/timeline").text


def detail_form(browser: TestClient, id: str) -> dict[str, str]:
    page = browser.get(f"/timeline/{id}").text
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in fields if name in ("tag", "has_notes")}


@pytest.mark.parametrize(("path", "resource"), [(V4, v4()), (V5, v5())], ids=["v4", "v5"])
def test_notes_are_added_and_statuses_changed(
    browser: TestClient, path: str, resource: dict[str, Any]
) -> None:
    id = create(browser, resource, path)
    for text in ("first", "second"):
        form = detail_form(browser, id)
        answer = post(browser, f"/timeline/{id}/note", **form, text=text)
        assert answer.status_code == 303, answer.text
    answer = post(browser, f"/timeline/{id}/status", **detail_form(browser, id), status="completed")
    assert answer.status_code == 303
    stored = browser.get(f"{path}/{id}").json()
    assert [each["text"] for each in stored["note"]] == ["first", "second"]
    assert stored["status"] == "completed"
    assert "completed" in browser.get(f"/timeline/{id}").text


@pytest.mark.parametrize("kind", ["status", "note"])
def test_a_conflict_shows_both_sides_and_lets_the_reader_decide(
    browser: TestClient, kind: str
) -> None:
    id = create(browser, v4(status="opened"))
    seen = detail_form(browser, id)
    theirs = {"status": "completed", "note": [{"text": "theirs was first"}]}
    assert browser.patch(f"{V4}/{id}", json=theirs).status_code == 200
    mine = {"text": "mine"} if kind == "note" else {"status": "inProgress", "seen": "opened"}
    answer = post(browser, f"/timeline/{id}/{kind}", **seen, **mine)
    assert answer.status_code == 412
    for each in ("Somebody else changed", "completed", "theirs was first"):
        assert each in answer.text
    assert ("mine" if kind == "note" else "opened → <b>in progress") in answer.text
    stored = browser.get(f"{V4}/{id}").json()
    assert (stored["status"], len(stored["note"])) == ("completed", 1)
    form = answer.text.partition('class="sides"')[2].partition("</form>")[0]
    forced = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    again = {name: html.unescape(value) for name, value in forced if name != "csrf"}
    assert post(browser, f"/timeline/{id}/{kind}", **again).status_code == 303
    stored = browser.get(f"{V4}/{id}").json()
    assert stored["note"][-1]["text"] == ("mine" if kind == "note" else "theirs was first")
    assert stored["status"] == ("completed" if kind == "note" else "inProgress")


def test_what_is_not_there_is_a_page(browser: TestClient) -> None:
    answer = browser.get("/timeline/nope")
    assert answer.status_code == 404
    assert "<h1>" in answer.text


def test_changes_from_the_page_are_those_of_the_api(open_site: Open) -> None:
    browser = open_site()
    id = create(browser, v4())
    post(browser, f"/timeline/{id}/status", **detail_form(browser, id), status="completed")
    assert browser.get(f"{V4}/{id}").json()["statusChangeDate"]


def signed_in(open_site: Open, *access: Access, parties: tuple[str, ...] = ()) -> TestClient:
    key, entry = make_key("anna", access, parties)
    admin, admin_entry = make_key("admin", list(Access))
    browser = open_site(api_keys=(entry, admin_entry))
    for party in ("42", "43"):
        body = v4(reason=f"of {party}", relatedParty=[{"id": party, "role": "customer"}])
        assert browser.post(V4, json=body, headers={"X-API-Key": admin}).status_code == 201
    assert post(browser, "/sign-in", "/sign-in", key=key).status_code == 303
    return browser


def test_nobody_sees_a_page_without_signing_in(open_site: Open) -> None:
    _, entry = make_key("anna", [Access.READ])
    browser = open_site(api_keys=(entry,))
    for path in ("/timeline", "/timeline/1", "/timeline/new", f"/json{V4}"):
        answer = browser.get(f"{path}?a=1", follow_redirects=False)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in?next=%2F")
    assert browser.post("/timeline/new", follow_redirects=False).status_code == 303


def test_a_reader_sees_and_may_do_what_the_scopes_say(open_site: Open) -> None:
    browser = signed_in(open_site, Access.READ)
    assert sorted(reasons(browser.get("/timeline").text)) == ["of 42", "of 43"]
    answer = post(browser, "/timeline/new", "/timeline/new", direction="inbound", channel="phone",
                  reason="x")  # fmt: skip
    assert answer.status_code == 403
    assert "tmf:write" in answer.text
    page = browser.get("/timeline").text
    link = re.search(r'href="(/json/tmf-api[^"]+)"', page)
    assert link is not None
    assert len(browser.get(html.unescape(link[1])).json()) == 2
    assert "X-API-Key: $TMF_API_KEY" in html.unescape(page)


def test_a_key_without_the_scope_to_read_sees_an_error(open_site: Open) -> None:
    answer = signed_in(open_site, Access.SUBSCRIBE).get("/timeline")
    assert answer.status_code == 403
    assert "of 42" not in answer.text


def test_the_party_rule_holds_on_every_page(open_site: Open) -> None:
    browser = signed_in(open_site, Access.READ, Access.WRITE, parties=("42",))
    assert reasons(browser.get("/timeline").text) == ["of 42"]
    assert "1 contact" in browser.get("/timeline").text
    assert reasons(timeline(browser, "43")) == []
    answer = post(browser, "/timeline/new", "/timeline/new", party="43", direction="inbound",
                  channel="phone", reason="x")  # fmt: skip
    assert answer.status_code == 403
    assert browser.get(f"/json{V4}").json()[0]["reason"] == "of 42"


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:45Z", "45 s"),
        ("2026-01-01T00:00:00Z", "2026-01-01T02:05:00+01:00", "1 h 5 min"),
        ("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", "2 d"),
        ("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z", ""),
        ("2026-01-01T00:00:00Z", "soon", ""),
        ("", "", ""),
    ],
)
def test_durations(start: str, end: str, text: str) -> None:
    assert duration(start, end) == text


@pytest.mark.parametrize(
    "resource",
    [
        {},
        {"channel": "phone", "note": ["text"], "relatedParty": {"id": 4}},
        {"interactionDate": "2026-01-01", "interactionItem": [1, None], "status": 4},
        {"attachment": [[]], "reason": None, "direction": {"a": 1}, "creationDate": 5},
    ],
)
def test_values_of_unexpected_types_are_shown_and_break_nothing(resource: dict[str, Any]) -> None:
    entry = entry_of(resource)
    shown = {"channel", "note", "interactionDate", "interactionItem", "attachment", "direction"}
    for name in shown & resource.keys():
        assert entry.rest[name] == resource[name]


def test_values_and_errors_are_in_the_readers_language(browser: TestClient) -> None:
    made = browser.post(V4, json=v4(status="completed")).json()["id"]
    german = {"accept-language": "de"}
    for path in ("/timeline?status=completed", f"/timeline/{made}"):
        text = browser.get(path, headers=german).text
        assert "abgeschlossen</span>" in text
        assert "completed</span>" not in text
    chips = browser.get("/timeline?direction=inbound&status=completed", headers=german).text
    assert "<b>Eingehend</b>" in chips
    assert "<b>abgeschlossen</b>" in chips
    browser.headers["accept-language"] = "de"
    refused = post(browser, "/timeline/new", "/timeline/new").text
    assert "ist erforderlich" in refused
    assert "is required" not in refused


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"relatedParty": []},
        {"relatedParty": [{"id": "7", "role": ""}]},
        {"note": [], "attachment": [], "interactionItem": [], "interactionRelationship": []},
        {"note": [{}], "interactionItem": [{}], "interactionRelationship": [{"id": "gone"}]},
        {"interactionItem": [{"item": {"id": "1", "role": ""}, "note": []}], "interactionDate": {}},
    ],
)
def test_a_contact_that_says_little_has_a_page(browser: TestClient, more: dict[str, Any]) -> None:
    body = {"direction": "inbound", "reason": "Line down", "channel": [{"id": "1"}]} | more
    answer = browser.post(V4, json=body)
    assert answer.status_code == 201, answer.text
    id = answer.json()["id"]
    explored = f"/explore/partyInteraction.v4/partyInteraction/{id}"
    for path in (f"/timeline/{id}", "/timeline", f"/timeline/new?{PARTY}=7", explored):
        assert browser.get(path).status_code == 200, path
    page = f"/timeline/{id}"
    form = {"csrf": token_of(browser.get(page).text), "tag": '"1-0"', "status": "completed"}
    assert browser.post(f"{page}/status", data=form).status_code == 412
