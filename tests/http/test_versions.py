"""One store, two versions of an API: what one writes, the other reads, finds and changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import OURS, OURS_V5
from tests.http.conftest import error_of
from tests.server import running_server

CHANNEL = "relatedChannel.channel"
ROLE = "relatedChannel.role"
PARTY = "relatedParty.partyOrPartyRole"


class Versions:
    """A client of each version of one server."""

    def __init__(self, v4: str, v5: str) -> None:
        self.v4 = httpx.Client(base_url=v4, trust_env=False, timeout=30)
        self.v5 = httpx.Client(base_url=v5, trust_env=False, timeout=30)

    def close(self) -> None:
        self.v4.close()
        self.v5.close()


@pytest.fixture(scope="module", params=["sqlite", "mongo"])
def both(request: pytest.FixtureRequest) -> Iterator[Versions]:
    store = None
    if request.param == "mongo":
        store = f"{request.getfixturevalue('mongo')}versions{uuid.uuid4().hex[:8]}"
    env = {"TMF_VALIDATE_RESPONSES": "true", "TMF_DURABILITY": "normal"}
    with running_server(OURS, OURS_V5, store=store, env=env) as server:
        v4, v5 = server.base_urls
        assert (v4[-3:], v5[-3:]) == ("/v4", "/v5")
        versions = Versions(v4, v5)
        yield versions
        versions.close()


def v4_body(mark: str, **attributes: Any) -> dict[str, Any]:
    return {
        "direction": "inbound",
        "reason": mark,
        "status": "opened",
        "interactionDate": {"startDateTime": "2026-11-23T12:00:00Z"},
        "channel": [{"id": "shop-12", "href": "/channel/shop-12", "name": "Shop", "role": "first"}],
        "relatedParty": [
            {"id": "42", "href": "/p/42", "@referredType": "Individual", "role": "customer"},
            {"id": "7", "href": "/p/7", "@referredType": "Individual", "role": "agent"},
        ],
        "interactionItem": [{"id": "1", "item": {"id": "88", "role": "order"}}],
        "attachment": [{"name": "bill.pdf", "content": "not base64!"}],
    } | attributes


def v5_body(mark: str, **attributes: Any) -> dict[str, Any]:
    return {
        "@type": "PartyInteraction",
        "direction": "inbound",
        "reason": mark,
        "relatedChannel": [
            {
                "@type": "RelatedChannel",
                "role": "first",
                "channel": {"@type": "ChannelRef", "id": "shop-12", "name": "Shop"},
            }
        ],
        "relatedParty": [
            {
                "@type": "RelatedPartyOrPartyRole",
                "role": role,
                "partyOrPartyRole": {"@type": "PartyRef", "id": id, "@referredType": "Individual"},
            }
            for id, role in (("42", "customer"), ("7", "agent"))
        ],
    } | attributes


def created(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/partyInteraction", json=body)
    assert answer.status_code == 201, answer.text
    resource: dict[str, Any] = answer.json()
    return resource


def found(client: httpx.Client, query: str) -> list[str]:
    answer = client.get(f"/partyInteraction?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-total-count"] == str(len(answer.json()))
    return [each["reason"] for each in answer.json()]


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


def test_version_5_reads_what_version_4_wrote(both: Versions, mark: str) -> None:
    old = created(both.v4, v4_body(mark))
    answer = both.v5.get(f"/partyInteraction/{old['id']}")
    assert answer.status_code == 200, answer.text
    new = answer.json()
    assert new["href"] == old["href"].replace("/v4/", "/v5/")
    assert new["@type"] == "PartyInteraction"
    assert new["relatedChannel"] == [
        {
            "@type": "RelatedChannel",
            "role": "first",
            "channel": {"@type": "ChannelRef", "id": "shop-12", "name": "Shop"},
        }
    ]
    assert new["relatedParty"][0] == {
        "@type": "RelatedPartyOrPartyRole",
        "role": "customer",
        "partyOrPartyRole": {
            "@type": "PartyRef", "id": "42", "href": "/p/42", "@referredType": "Individual",
        },
    }  # fmt: skip
    item = new["interactionItem"][0]["item"]
    assert (item["role"], item["entity"]["id"]) == ("order", "88")
    assert "channel" not in new
    for same in ("id", "reason", "direction", "status", "interactionDate", "creationDate"):
        assert new[same] == old[same]


def test_dates_are_the_clients_where_the_request_schema_lists_them(
    both: Versions, mark: str
) -> None:
    given = "2001-01-01T00:00:00Z"
    new = created(both.v5, v5_body(mark, lastUpdate=given))
    assert new["lastUpdate"] == given
    href = f"/partyInteraction/{new['id']}"
    change = {"@type": "PartyInteraction", "description": "d"}
    after = both.v5.patch(href, json=change).json()
    assert after["lastUpdate"] > "2026"
    after = both.v5.patch(href, json=change | {"lastUpdate": given}).json()
    assert after["lastUpdate"] == given
    for name in ("creationDate", "statusChangeDate"):
        error = error_of(both.v5.patch(href, json=change | {name: given}), 400)
        assert f"/{name}" in error["message"]
    assert both.v5.get(href).json() == after


def test_either_version_takes_back_what_it_gave(both: Versions, mark: str) -> None:
    for id in (created(both.v4, v4_body(mark))["id"], created(both.v5, v5_body(mark))["id"]):
        for client in (both.v4, both.v5):
            seen = client.get(f"/partyInteraction/{id}").json()
            answer = client.patch(f"/partyInteraction/{id}", json=seen)
            assert (answer.status_code, answer.json()) == (200, seen), answer.text
            if "creationDate" in seen:
                seen["creationDate"] = seen["creationDate"].replace("Z", "+00:00")
            answer = client.patch(f"/partyInteraction/{id}", json=seen | {"description": "d"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["description"] == "d"


def test_version_4_reads_what_version_5_wrote(both: Versions, mark: str) -> None:
    new = created(both.v5, v5_body(mark))
    old = both.v4.get(f"/partyInteraction/{new['id']}").json()
    assert old["href"] == new["href"].replace("/v5/", "/v4/")
    assert old["channel"] == [
        {"role": "first", "id": "shop-12", "name": "Shop", "href": "/channel/shop-12"}
    ]
    assert old["relatedParty"][0] == {
        "role": "customer", "id": "42", "@referredType": "Individual", "href": "/party/42",
    }  # fmt: skip
    assert "relatedChannel" not in old


@pytest.mark.parametrize(
    ("v4", "v5"),
    [
        ("channel.id=shop-12", "relatedChannel.channel.id=shop-12"),
        ("channel.role=first", "relatedChannel.role=first"),
        ("channel.id=shop-12&channel.role=first", f"{CHANNEL}.id=shop-12&{ROLE}=first"),
        ("relatedParty.id=42", "relatedParty.partyOrPartyRole.id=42"),
        ("relatedParty.id=7&relatedParty.role=agent", f"{PARTY}.id=7&relatedParty.role=agent"),
        ("channel.name*=^Sh", "relatedChannel.channel.name*=^Sh"),
        ("interactionItem.nope=null", "interactionItem.nope=null"),
        ("filter=$[?(@.channel[?(@.id=='shop-12' %26%26 @.role=='first')])]",
         "filter=$[?(@.relatedChannel[?(@.channel.id=='shop-12' %26%26 @.role=='first')])]"),
        ("filter=$[?(@.relatedParty[?(@.id=='7' %26%26 !(@.role=='customer'))])]",
         "filter=$[?(@.relatedParty[?(@.partyOrPartyRole.id=='7' %26%26 !(@.role=='customer'))])]"),
    ],
)  # fmt: skip
def test_a_filter_finds_documents_of_both_versions(
    both: Versions, mark: str, v4: str, v5: str
) -> None:
    created(both.v4, v4_body(mark))
    created(both.v5, v5_body(mark))
    assert found(both.v4, f"reason={mark}&{v4}") == [mark, mark]
    assert found(both.v5, f"reason={mark}&{v5}") == [mark, mark]


@pytest.mark.parametrize(
    ("v4", "v5"),
    [
        ("channel.id=other", "relatedChannel.channel.id=other"),
        ("channel.id!=shop-12", "relatedChannel.channel.id!=shop-12"),
        ("channel.id=null", "relatedChannel.channel.id=null"),
        ("channel=null", "relatedChannel=null"),
        ("relatedParty.id=42&relatedParty.role=agent", f"{PARTY}.id=42&relatedParty.role=agent"),
        ("filter=$[?(@.relatedParty[?(@.role=='agent' %26%26 !(@.id=='7'))])]",
         "filter=$[?(@.relatedParty[?(@.role=='agent' %26%26 !(@.partyOrPartyRole.id=='7'))])]"),
    ],
)  # fmt: skip
def test_a_filter_spares_documents_of_both_versions(
    both: Versions, mark: str, v4: str, v5: str
) -> None:
    created(both.v4, v4_body(mark))
    created(both.v5, v5_body(mark))
    assert found(both.v4, f"reason={mark}&{v4}") == []
    assert found(both.v5, f"reason={mark}&{v5}") == []


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("v5", "relatedParty.id=42"),
        ("v5", "channel.id=shop-12"),
        ("v4", f"{PARTY}.id=42"),
        ("v4", f"{CHANNEL}.id=shop-12"),
    ],
)
def test_an_attribute_of_another_version_is_unknown(
    both: Versions, mark: str, version: str, query: str
) -> None:
    created(both.v4, v4_body(mark))
    created(both.v5, v5_body(mark))
    assert found(getattr(both, version), f"reason={mark}&{query}") == []


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("v5", "note.@type=Note"),
        ("v5", "@type=PartyInteraction"),
        ("v5", f"{CHANNEL}.@type=ChannelRef"),
        ("v5", "relatedParty.@type*=^RelatedPartyOr"),
        ("v4", "channel.href=/channel/shop-12"),
        ("v4", "@type=PartyInteraction"),
    ],
)
def test_what_a_mapping_adds_is_found(both: Versions, mark: str, version: str, query: str) -> None:
    created(both.v4, v4_body(mark, note=[{"text": "hello"}]))
    created(both.v5, v5_body(mark, note=[{"@type": "Note", "text": "hello"}]))
    assert found(getattr(both, version), f"reason={mark}&{query}") == [mark, mark]


def test_selected_attributes_come_from_either_form(both: Versions, mark: str) -> None:
    created(both.v4, v4_body(mark))
    created(both.v5, v5_body(mark))
    for client, fields, name in (
        (both.v4, "channel.id", "channel"),
        (both.v5, "relatedChannel.channel.id", "relatedChannel"),
    ):
        answer = client.get(f"/partyInteraction?reason={mark}&fields={fields}").json()
        assert len(answer) == 2
        for each in answer:
            assert each.keys() <= {"id", "href", "@type", name}
            assert "shop-12" in str(each[name])
            assert "Shop" not in str(each)


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("v4", "channel.href"),
        ("v4", "relatedParty.href"),
        ("v5", f"{CHANNEL}.@type"),
        ("v5", "relatedParty.@type"),
    ],
)
def test_selected_attributes_that_a_mapping_makes_are_those_of_the_whole(
    both: Versions, mark: str, version: str, fields: str
) -> None:
    client: httpx.Client = getattr(both, version)
    for old in (created(both.v4, v4_body(mark)), created(both.v5, v5_body(mark))):
        one = client.get(f"/partyInteraction/{old['id']}?fields={fields}").json()
        assert client.get(f"/partyInteraction?id={old['id']}&fields={fields}").json() == [one]


def test_pages_run_through_both_forms(both: Versions, mark: str) -> None:
    for number in range(6):
        client, body = ((both.v4, v4_body), (both.v5, v5_body))[number % 2]
        created(client, body(mark, description=str(number)))
    for client in (both.v4, both.v5):
        answer = client.get(f"/partyInteraction?reason={mark}&sort=description&limit=2")
        seen = [each["description"] for each in answer.json()]
        while "next" in answer.links:
            answer = client.get(answer.links["next"]["url"])
            seen += [each["description"] for each in answer.json()]
        assert seen == list("012345")


@pytest.mark.parametrize("sort", ["@type", "-@type", "@type,-description", "-@type,description"])
def test_lists_are_sorted_by_what_the_served_version_shows(
    both: Versions, mark: str, sort: str
) -> None:
    for number in range(6):
        types = [{}, {"@type": "Call", "@baseType": "PartyInteraction"}]
        client, body = ((both.v4, v4_body), (both.v5, v5_body))[number % 2]
        created(client, body(mark, description=str(number), **types[number in (1, 2)]))
    for client in (both.v4, both.v5):
        query = f"/partyInteraction?reason={mark}&sort={sort}"
        shown = client.get(query).json()
        expected = sorted(shown, key=lambda each: int(each["description"]))
        if not sort.endswith(",description") and sort != "@type":
            expected.reverse()
        expected.sort(key=lambda each: str(each["@type"]), reverse=sort.startswith("-"))
        assert [each["description"] for each in shown] == [each["description"] for each in expected]
        answer = client.get(f"{query}&limit=1&fields=description")
        walked = answer.json()
        while "next" in answer.links:
            answer = client.get(answer.links["next"]["url"])
            walked += answer.json()
        assert [each["id"] for each in walked] == [each["id"] for each in shown]


def test_a_change_by_the_other_version_loses_nothing(both: Versions, mark: str) -> None:
    body = v4_body(mark, extra={"kept": True})
    body["channel"][0]["@type"] = "RelatedChannel"
    old = created(both.v4, body)
    url = f"/partyInteraction/{old['id']}"
    patch = {"@type": "PartyInteraction", "description": "changed by 5"}
    answer = both.v5.patch(url, json=patch)
    assert answer.status_code == 200, answer.text
    assert "not base64!" not in answer.text  # its contract cannot have that
    after = both.v4.get(url).json()
    assert after == old | {"description": "changed by 5", "lastUpdate": after["lastUpdate"]}


@pytest.mark.parametrize("fields", ["attachment", "attachment.content", "channel,attachment"])
def test_selected_attributes_hold_what_only_their_own_form_can(
    both: Versions, mark: str, fields: str
) -> None:
    id = created(both.v4, v4_body(mark))["id"]
    change = {"@type": "PartyInteraction", "description": "changed by 5"}
    assert both.v5.patch(f"/partyInteraction/{id}", json=change).status_code == 200
    read = both.v4.get(f"/partyInteraction/{id}?fields={fields}").json()
    assert read["attachment"][0]["content"] == "not base64!"
    assert both.v4.get(f"/partyInteraction?id={id}&fields={fields}").json() == [read]
    (other,) = both.v5.get(f"/partyInteraction?id={id}&fields={fields}").json()
    assert not {"/kept", "channel"} & other.keys()
    assert "not base64!" not in str(other)


def test_a_change_by_the_other_version_is_seen(both: Versions, mark: str) -> None:
    old = created(both.v4, v4_body(mark))
    url = f"/partyInteraction/{old['id']}"
    channel = {
        "@type": "RelatedChannel",
        "role": "second",
        "channel": {"@type": "ChannelRef", "id": "web"},
    }
    change = {"@type": "PartyInteraction", "relatedChannel": [channel], "attachment": []}
    assert both.v5.patch(url, json=change).status_code == 200
    after = both.v4.get(url).json()
    assert after["channel"] == [{"role": "second", "id": "web", "href": "/channel/web"}]
    assert after["attachment"] == []
    assert both.v4.patch(url, json={"channel": old["channel"]}).status_code == 200
    assert both.v5.get(url).json()["relatedChannel"][0]["channel"]["id"] == "shop-12"


def test_an_etag_of_one_version_does_not_hide_a_change_by_the_other(
    both: Versions, mark: str
) -> None:
    old = created(both.v4, v4_body(mark))
    url = f"/partyInteraction/{old['id']}"
    tag = both.v4.get(url).headers["etag"]
    assert (
        both.v5.patch(url, json={"@type": "PartyInteraction", "status": "done"}).status_code == 200
    )
    error_of(both.v4.patch(url, json={"status": "x"}, headers={"If-Match": tag}), 412)


def test_each_version_has_its_own_hub(both: Versions, mark: str) -> None:
    listener = {"@type": "Hub", "callback": f"https://listener.example/{mark}"}
    assert both.v4.post("/hub", json=listener).status_code == 201
    assert both.v5.post("/hub", json=listener).status_code == 201


def test_version_5_lets_clients_choose_ids(both: Versions, mark: str) -> None:
    new = created(both.v5, v5_body(mark, id=mark))
    assert (new["id"], new["href"].rpartition("/")[2]) == (mark, mark)
    error = error_of(both.v5.post("/partyInteraction", json=v5_body(mark, id=mark)), 409)
    assert mark in error["message"]
    for id in ("a/b", "a b", "", "a?b", "é"):
        error = error_of(both.v5.post("/partyInteraction", json=v5_body(mark, id=id)), 400)
        assert error["message"].startswith("/id must have 1 to 255 letters, digits and")


def test_version_4_does_not_let_clients_choose_ids(both: Versions, mark: str) -> None:
    assert created(both.v4, v4_body(mark, id=mark))["id"] != mark
