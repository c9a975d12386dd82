from __future__ import annotations

import re
import uuid
from typing import Any

import httpx
import pytest

from tests.conftest import OURS
from tests.http.conftest import MINIMAL, create, error_of
from tests.server import running_server

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_creation_answers_with_the_whole_resource(api: httpx.Client) -> None:
    answer = api.post("/partyInteraction", json=MINIMAL)
    assert answer.status_code == 201
    body = answer.json()
    assert UUID7.fullmatch(body["id"])
    assert body["href"] == f"{str(api.base_url).rstrip('/')}/partyInteraction/{body['id']}"
    assert answer.headers["location"] == body["href"]
    assert TIME.fullmatch(body["creationDate"])
    assert body["@type"] == "PartyInteraction"
    assert api.get(body["href"]).json() == body
    assert api.get("/partyInteraction", params={"id": body["id"]}).json() == [body]


def test_what_the_minimum_leaves_out_is_filled_in(api: httpx.Client) -> None:
    body = create(api)
    assert body["status"] == "opened"
    assert TIME.fullmatch(body["interactionDate"]["startDateTime"])
    assert body["channel"] == [{"id": "555", "href": "/channel/555"}]


def test_what_a_client_sends_is_kept(api: httpx.Client) -> None:
    sent: dict[str, Any] = {
        "description": 'Grüße, 東京 \U0001f600 \u2028 " \\ / <b>',
        "interactionDate": {"startDateTime": "2026-11-23T10:00:00+01:00"},
        "status": "completed",
        "channel": [{"id": "1", "href": "https://x/1", "@type": "Shop", "floor": 2}],
        "extension": {"": {}, "$set": [1.5, None, True, -0.0, 10**30], "a.b": [[1], []], "e": {}},
        "@type": "ShopVisit",
        "note": [{"text": "t", "date": "2026-11-23T10:00:00.123456Z"}],
    }
    body = create(api, **sent)
    assert {name: body[name] for name in sent} == sent
    assert api.get(body["href"]).json() == body
    assert "Grüße, 東京 \U0001f600" in api.get(body["href"]).text


def test_id_and_href_are_the_servers(api: httpx.Client) -> None:
    body = create(api, id="mine", href="https://evil")
    assert body["id"] != "mine"
    assert body["href"].endswith(body["id"])


def test_dates_that_the_create_schema_lists_can_be_given(api: httpx.Client) -> None:
    dates = {"creationDate": "2001-01-01T00:00:00Z", "statusChangeDate": "2002-01-01T00:00:00Z"}
    body = create(api, **dates)
    assert {name: body[name] for name in dates} == dates
    assert api.get(body["href"]).json() == body


def test_null_for_an_optional_attribute_is_absent(api: httpx.Client) -> None:
    channel = [{"id": "1", "name": None, "href": None}]
    body = create(
        api, description=None, note=None, channel=channel, interactionDate={"endDateTime": None}
    )
    assert not {"description", "note"} & body.keys()
    assert body["channel"] == [{"id": "1", "href": "/channel/1"}]
    assert body["interactionDate"] == {}
    assert api.get(body["href"]).json() == body
    refused = api.post("/partyInteraction", json=MINIMAL | {"reason": None, "note": None})
    assert "/reason is required" in error_of(refused, 400)["message"]
    assert "/note" not in error_of(refused, 400)["message"]
    kept = create(api, extension={"a": None})
    assert kept["extension"] == {"a": None}
    hub = api.post("/hub", json={"callback": "http://127.0.0.1:9/", "query": None})
    assert error_of(hub, 403)["code"] == "callbackRefused"  # past validation


@pytest.mark.parametrize(
    "time", ["2026-01-31t09:30:00Z", "2026-01-31T09:30:00z", "2016-12-31T23:59:60Z"]
)
def test_a_date_time_that_no_filter_could_find_is_refused(api: httpx.Client, time: str) -> None:
    body = MINIMAL | {"interactionDate": {"startDateTime": time}}
    message = error_of(api.post("/partyInteraction", json=body), 400)["message"]
    assert "/interactionDate/startDateTime must be a date-time in upper case" in message
    assert "2026-01-31T09:30:00Z" in message


def test_a_deleted_resource_is_gone(api: httpx.Client) -> None:
    href = create(api)["href"]
    answer = api.delete(href)
    assert (answer.status_code, answer.content) == (204, b"")
    for again in (api.get(href), api.delete(href), api.patch(href, json={"reason": "x"})):
        assert error_of(again, 404)["code"] == "notFound"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("reason", {"id", "href", "reason"}),
        ("reason,status", {"id", "href", "reason", "status"}),
        ("none", {"id", "href"}),
        ("id", {"id", "href"}),
        ("href", {"id", "href"}),
        ("nope", {"id", "href"}),
        (" reason , , direction", {"id", "href", "reason", "direction"}),
    ],
)
def test_fields_selects_attributes(api: httpx.Client, fields: str, expected: set[str]) -> None:
    body = create(api)
    assert set(api.get(body["href"], params={"fields": fields}).json()) == expected
    found = api.get("/partyInteraction", params={"id": body["id"], "fields": fields}).json()
    assert [set(each) for each in found] == [expected]


def test_nested_fields_prune_objects_in_arrays(api: httpx.Client) -> None:
    notes = [{"text": "a", "author": "x"}, {"text": "b"}, {"author": "y"}]
    href = create(api, note=notes)["href"]
    body = api.get(href, params=[("fields", "note.text"), ("fields", "channel.id")]).json()
    assert body["note"] == [{"text": "a"}, {"text": "b"}, {}]
    assert body["channel"] == [{"id": "555"}]
    assert api.get(href, params={"fields": "note.text,note"}).json()["note"] == notes
    assert api.get(href, params={"fields": ""}).json()["reason"] == "A fault"


def test_a_short_list_of_large_resources_is_complete(api: httpx.Client) -> None:
    mark = uuid.uuid4().hex
    made = [create(api, reason=mark, description="x" * 100_000)["id"] for _ in range(4)]
    answer = api.get(f"/partyInteraction?reason={mark}&limit=10")
    assert [each["id"] for each in answer.json()] == made[::-1]
    assert answer.headers["x-total-count"] == "4"


def test_lists_are_newest_first_and_counted(api: httpx.Client) -> None:
    created = [create(api, mark="paging")["id"] for _ in range(5)]
    newest = created[::-1]

    def page(**parameters: int) -> tuple[list[str], httpx.Headers]:
        answer = api.get("/partyInteraction", params={"mark": "paging", **parameters})
        assert answer.status_code == 200
        return [each["id"] for each in answer.json()], answer.headers

    for parameters, expected in (
        ({}, newest),
        ({"limit": 2}, newest[:2]),
        ({"offset": 3}, newest[3:]),
        ({"offset": 1, "limit": 2}, newest[1:3]),
        ({"offset": 9}, []),
        ({"limit": 0}, []),
        ({"limit": 10**9}, newest),
        ({"offset": 10**30}, []),
    ):
        found, headers = page(**parameters)
        assert found == expected, parameters
        assert headers["x-total-count"] == "5"
        assert headers["x-result-count"] == str(len(expected))


def test_a_page_links_to_its_neighbours(api: httpx.Client) -> None:
    created = [create(api, mark="links")["id"] for _ in range(7)]
    answer = api.get("/partyInteraction?mark=links&limit=3&offset=3")
    links = {name: link["url"] for name, link in answer.links.items()}
    assert set(links) == {"self", "first", "prev", "next", "last"}
    pages = {name: [each["id"] for each in api.get(url).json()] for name, url in links.items()}
    newest = created[::-1]
    assert pages == {
        "self": newest[3:6],
        "first": newest[:3],
        "prev": newest[:3],
        "next": newest[6:],
        "last": newest[6:],
    }


def test_following_next_meets_everything_once_while_others_write(api: httpx.Client) -> None:
    created = [create(api, mark="cursor")["id"] for _ in range(6)]
    url: str | None = "/partyInteraction?mark=cursor&limit=2&sort=-creationDate"
    met: list[str] = []
    while url:
        answer = api.get(url)
        met += [each["id"] for each in answer.json()]
        assert answer.headers["x-total-count"] == "6"
        create(api, mark="cursor")
        url = answer.links["next"]["url"] if "next" in answer.links else None
        if len(met) == 2:
            api.delete(f"/partyInteraction/{met[0]}")
    assert met == created[::-1]


@pytest.mark.parametrize("cursor", ["x", "WyJ4IiwxLFsxXV0.AAAA", ""])
def test_a_foreign_cursor_leads_nowhere(one: httpx.Client, cursor: str) -> None:
    error_of(one.get("/partyInteraction", params={"after": cursor}), 404)


def test_a_cursor_belongs_to_its_query(one: httpx.Client) -> None:
    for _ in range(2):
        create(one, mark="mine")
    url = one.get("/partyInteraction?mark=mine&limit=1").links["next"]["url"]
    error_of(one.get(url.replace("mark=mine", "mark=other")), 404)


def test_head_answers_like_get_without_a_body(one: httpx.Client) -> None:
    href = create(one)["href"]
    answer = one.head(href)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == one.get(href).headers["etag"]


def test_an_offset_too_far_is_refused_while_there_is_something(one: httpx.Client) -> None:
    create(one)
    assert one.get("/partyInteraction", params={"offset": 1_000_001}).json() == []


def test_a_party_and_a_channel_need_little_at_every_depth(api: httpx.Client) -> None:
    party = {"id": "42", "role": "customer"}
    item = {"relatedParty": [party, {"id": "7", "@referredType": "Individual"}]}
    body = create(api, relatedParty=[party], interactionItem=[item | {"channel": [{"id": "mail"}]}])
    filled = {"href": "/party/42", "@referredType": "Party"}
    assert body["relatedParty"] == [party | filled]
    (found,) = body["interactionItem"]
    seven = {"id": "7", "@referredType": "Individual", "href": "/party/7"}
    assert found["relatedParty"] == [party | filled, seven]
    assert found["channel"] == [{"id": "mail", "href": "/channel/mail"}]


def test_null_is_absent_where_the_contract_has_no_null(one: httpx.Client) -> None:
    body = create(one, description=None, note=[{"text": "t", "author": None}], extra={"kept": 1})
    assert "description" not in body
    assert body["note"] == [{"text": "t"}]
    assert body["extra"] == {"kept": 1}
    answer = one.post("/partyInteraction", json=MINIMAL | {"reason": None})
    assert error_of(answer, 400)["message"] == "/reason is required"
    answer = one.post("/hub", json={"callback": "https://example.com/null", "query": None})
    assert answer.status_code == 201, answer.text
    assert "query" not in answer.json()


def test_the_strict_profile_names_every_null() -> None:
    whole = {
        "channel": [{"id": "1", "href": "x", "name": None}],
        "direction": "inbound",
        "reason": "r",
        "status": "s",
        "interactionDate": {},
        "description": None,
        "note": [{"text": "t", "author": None, "id": None, "date": None} for _ in range(4)],
    }
    with running_server(OURS, profile="strict", store="memory:") as server:
        answer = httpx.post(f"{server.base_url}/partyInteraction", json=whole, trust_env=False)
    message = error_of(answer, 400)["message"]
    assert message.endswith(" must not be null")
    named = set(message.removesuffix(" must not be null").split(", "))
    notes = {f"/note/{n}/{name}" for n in range(4) for name in ("author", "id", "date")}
    assert named == {"/description", "/channel/0/name", *notes}


@pytest.mark.parametrize("location", ["", "string", "schemas/mine.json"])
def test_a_schema_location_as_tools_fill_it_in_is_taken(one: httpx.Client, location: str) -> None:
    assert create(one, **{"@schemaLocation": location})["@schemaLocation"] == location


def test_a_long_integer_is_found_by_its_digits_alone(one: httpx.Client) -> None:
    create(one, serial=12345678901234567890123)
    for serial, count in ((12345678901234567890123, 1), (12345678901234567890124, 0)):
        answer = one.get(f"/partyInteraction?serial={serial}&fields=serial")
        assert [each["serial"] for each in answer.json()] == [serial] * count
