from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.http.conftest import create, error_of

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
QUERY_PATCH = "application/json-patch-query+json"

NOTES = [
    {"id": "1", "author": "a", "text": "x"},
    {"id": "2", "author": "b", "text": "y"},
    {"id": "3", "author": "a", "text": "z"},
]


def patch(api: httpx.Client, href: str, body: Any, media_type: str = MERGE) -> httpx.Response:
    return api.request("PATCH", href, json=body, headers={"Content-Type": media_type})


@pytest.mark.parametrize("media_type", ["application/json", MERGE, f"{MERGE};charset=utf-8"])
def test_a_merge_patch_changes_what_it_names(api: httpx.Client, media_type: str) -> None:
    before = create(api, description="d", note=NOTES, extension={"a": 1, "b": {"c": 2}})
    change = {
        "reason": "new",
        "description": None,
        "note": [{"text": "only"}],
        "interactionDate": {"endDateTime": "2026-11-23T11:00:00Z"},
        "extension": {"a": None, "b": {"d": 3}},
    }
    answer = patch(api, before["href"], change, media_type)
    assert answer.status_code == 200, answer.text
    after = answer.json()
    start = before["interactionDate"]["startDateTime"]
    assert after["reason"] == "new"
    assert "description" not in after
    assert after["note"] == [{"text": "only"}]
    assert after["interactionDate"] == {
        "startDateTime": start,
        "endDateTime": "2026-11-23T11:00:00Z",
    }
    assert after["extension"] == {"b": {"c": 2, "d": 3}}
    assert api.get(before["href"]).json() == after


@pytest.mark.parametrize(
    ("media_type", "patched"),
    [(MERGE, {"flag": True}), (JSON_PATCH, [{"op": "add", "path": "/flag", "value": True}])],
)
def test_a_patch_from_1_to_true_is_a_change(
    api: httpx.Client, media_type: str, patched: Any
) -> None:
    before = create(api, flag=1)
    answer = patch(api, before["href"], patched, media_type)
    assert answer.json()["flag"] is True
    assert api.get(before["href"]).json()["flag"] is True


@pytest.mark.parametrize("name", ["id", "href", "direction"])
def test_what_cannot_be_patched_is_named(api: httpx.Client, name: str) -> None:
    before = create(api)
    error = error_of(patch(api, before["href"], {name: "x", "reason": "y"}), 400)
    assert f"/{name}" in error["message"]
    assert api.get(before["href"]).json() == before


@pytest.mark.parametrize("type", ["ShopVisit", None])
def test_the_class_of_a_resource_stays(api: httpx.Client, type: str | None) -> None:
    before = create(api, **{"@type": "Call"})
    error = error_of(patch(api, before["href"], {"@type": type, "reason": "r"}), 409)
    assert error["message"].startswith("/@type cannot be changed")
    operation = {"op": "add", "path": "/@type", "value": type or "x"}
    assert error_of(patch(api, before["href"], [operation], JSON_PATCH), 409) == error
    assert api.get(before["href"]).json() == before
    assert patch(api, before["href"], {"@type": "Call", "reason": "r"}).json()["reason"] == "r"


def test_a_mandatory_attribute_cannot_be_removed(api: httpx.Client) -> None:
    href = create(api)["href"]
    for name in ("reason", "channel"):
        assert f"/{name}" in error_of(patch(api, href, {name: None}), 400)["message"]


def test_the_result_is_held_against_the_contract(api: httpx.Client) -> None:
    before = create(api)
    error = error_of(patch(api, before["href"], {"note": [{"date": "yesterday"}]}), 400)
    assert "/note/0/date" in error["message"]
    assert "date-time" in error["message"]
    assert api.get(before["href"]).json() == before


def test_only_a_change_of_status_sets_its_date(api: httpx.Client) -> None:
    href = create(api, status="opened")["href"]
    assert "statusChangeDate" not in patch(api, href, {"reason": "r"}).json()
    assert "statusChangeDate" not in patch(api, href, {"status": "opened"}).json()
    changed = patch(api, href, {"status": "completed"}).json()["statusChangeDate"]
    assert patch(api, href, {"reason": "s"}).json()["statusChangeDate"] == changed
    stated = {"statusChangeDate": "2001-01-01T00:00:00Z", "creationDate": "2001-01-01T00:00:00Z"}
    after = patch(api, href, stated).json()
    assert {name: after[name] for name in stated} == stated
    both = {"statusChangeDate": "2002-01-01T00:00:00Z", "status": "opened"}
    after = patch(api, href, both).json()
    assert {name: after[name] for name in both} == both


WHOLE = {
    "note": NOTES,
    "relatedParty": [{"id": "7", "href": "https://x/7", "@referredType": "Individual"}],
    "interactionItem": [{"id": "1", "note": NOTES[:1]}],
    "attachment": [{"id": "1", "href": "https://x/1", "@referredType": "Attachment"}],
    "extension": {"a": [1, None]},
}


@pytest.mark.parametrize("media_type", ["application/json", MERGE])
def test_operations_sent_as_a_merge_patch_get_the_right_media_type_named(
    api: httpx.Client, media_type: str
) -> None:
    before = create(api)
    operation = {"op": "replace", "path": "/reason", "value": "x"}
    answer = patch(api, before["href"], [operation], media_type)
    assert JSON_PATCH in error_of(answer, 415)["message"]
    assert JSON_PATCH in answer.headers["accept-patch"]
    assert api.get(before["href"]).json() == before


def test_a_resource_can_be_sent_back_as_it_was_retrieved(api: httpx.Client) -> None:
    before = create(api, **WHOLE)
    unchanged = patch(api, before["href"], before)
    assert (unchanged.status_code, unchanged.json()) == (200, before), unchanged.text
    after = patch(api, before["href"], before | {"description": "new"})
    assert after.status_code == 200, after.text
    assert after.json() == before | {"description": "new"}


@pytest.mark.parametrize("host", ["http://elsewhere:1", "https://api.example.com/prefix", ""])
def test_a_link_with_another_host_is_no_change(api: httpx.Client, host: str) -> None:
    before = create(api)
    sent_back = host + before["href"].partition("//")[2].partition("/")[1]
    sent_back += before["href"].partition("//")[2].partition("/")[2]
    after = patch(api, before["href"], {"href": sent_back, "reason": "r"})
    assert after.status_code == 200, after.text
    assert after.json() == before | {"reason": "r"}
    for word in ("test", "replace"):
        operation = {"op": word, "path": "/href", "value": sent_back}
        answer = patch(api, before["href"], [operation], JSON_PATCH)
        assert answer.status_code == 200, answer.text
        assert answer.json() == after.json()


@pytest.mark.parametrize("href", ["http://[", "https://x/other/1", "", None, 1])
def test_a_link_to_something_else_cannot_be_patched(api: httpx.Client, href: Any) -> None:
    before = create(api)
    assert "/href" in error_of(patch(api, before["href"], {"href": href}), 400)["message"]
    operation = {"op": "replace", "path": "/href", "value": href}
    assert "/href" in error_of(patch(api, before["href"], [operation], JSON_PATCH), 400)["message"]


@pytest.mark.parametrize("name", ["id", "direction"])
def test_an_equal_value_is_no_change(api: httpx.Client, name: str) -> None:
    before = create(api)
    for body, media_type in (
        ({name: before[name]}, MERGE),
        ([{"op": "replace", "path": f"/{name}", "value": before[name]}], JSON_PATCH),
        ([{"op": "test", "path": f"/{name}", "value": before[name]}], QUERY_PATCH),
    ):
        answer = patch(api, before["href"], body, media_type)
        assert (answer.status_code, answer.json()) == (200, before), answer.text


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "replace", "path": "/reason", "value": "n"}], {"reason": "n"}),
        ([{"op": "add", "path": "/x", "value": {"y": 1}}], {"x": {"y": 1}}),
        ([{"op": "remove", "path": "/note/1"}], {"note": [NOTES[0], NOTES[2]]}),
        ([{"op": "move", "from": "/note/0", "path": "/note/2"}], {"note": NOTES[1:] + NOTES[:1]}),
        ([{"op": "copy", "from": "/reason", "path": "/y"}], {"y": "A fault"}),
        (
            [
                {"op": "test", "path": "/note/0/author", "value": "a"},
                {"op": "add", "path": "/note/-", "value": {"text": "w"}},
            ],
            {"note": [*NOTES, {"text": "w"}]},
        ),
        ([{"op": "add", "path": "/a~1b~0c", "value": 1}], {"a/b~c": 1}),
        ([], {}),
    ],
)
def test_a_json_patch_applies(
    api: httpx.Client, operations: list[Any], expected: dict[str, Any]
) -> None:
    before = create(api, note=NOTES)
    answer = patch(api, before["href"], operations, JSON_PATCH)
    assert answer.status_code == 200, answer.text
    assert answer.json() == before | expected
    assert api.get(before["href"]).json() == before | expected


@pytest.mark.parametrize(
    ("operations", "status", "says"),
    [
        ([{"op": "test", "path": "/reason", "value": "other"}], 409, "operation 0"),
        ([{"op": "remove", "path": "/nope"}], 409, "points at nothing"),
        ([{"op": "replace", "path": "/note/9", "value": 1}], 409, "operation 0"),
        ([{"op": "replace", "path": "/reason", "value": 5}], 409, "/reason"),
        ([{"op": "remove", "path": "/reason"}], 409, "/reason"),
        ([{"op": "replace", "path": "/id", "value": "x"}], 400, "/id"),
        ([{"op": "remove", "path": "/direction"}], 400, "/direction"),
        ([{"op": "explode", "path": "/reason"}], 400, "/0"),
        ([{"op": "add", "path": "/reason"}], 400, "/0/value"),
        ([{"op": "add", "path": "reason", "value": "x"}], 400, "/0"),
        ({"op": "remove", "path": "/reason"}, 400, "array"),
    ],
)
def test_a_json_patch_that_fails_changes_nothing(
    api: httpx.Client, operations: Any, status: int, says: str
) -> None:
    before = create(api, note=NOTES)
    first = {"op": "add", "path": "/first", "value": 1}
    document = [first, *operations] if isinstance(operations, list) else operations
    if isinstance(operations, list):
        says = says.replace("operation 0", "operation 1").replace("/0", "/1")
    error = error_of(patch(api, before["href"], document, JSON_PATCH), status)
    assert says in error["message"], error
    assert api.get(before["href"]).json() == before


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "remove", "path": "/note?author=a"}, [NOTES[1]]),
        ({"op": "delete", "path": "/note?id=2"}, [NOTES[0], NOTES[2]]),
        ({"op": "delete", "path": "/note?note.id=2"}, [NOTES[0], NOTES[2]]),
        ({"op": "remove", "path": "$.note[?(@.author=='a')]"}, [NOTES[1]]),
        (
            {"op": "replace", "path": "/note/text?id=2", "value": "new"},
            [NOTES[0], NOTES[1] | {"text": "new"}, NOTES[2]],
        ),
        (
            {"op": "replace", "path": "$.note[?(@.id=='3')].text", "value": "new"},
            [*NOTES[:2], NOTES[2] | {"text": "new"}],
        ),
        (
            {"op": "add", "path": "/note/seen?author=a", "value": True},
            [NOTES[0] | {"seen": True}, NOTES[1], NOTES[2] | {"seen": True}],
        ),
        ({"op": "remove", "path": "/note/0"}, NOTES[1:]),
        ({"op": "remove", "path": "note[?(@.author=='a')]"}, [NOTES[1]]),
        ({"op": "remove", "path": "/note[?(@.author=='a' && @.text in ['z'])]"}, NOTES[:2]),
        ({"op": "remove", "path": "$.note[?(@.text=~/^[xy]$/)]"}, [NOTES[2]]),
        (
            {"op": "add", "path": "$.note[?(@.id=='2')].seen", "value": True},
            [NOTES[0], NOTES[1] | {"seen": True}, NOTES[2]],
        ),
        (
            {"op": "replace", "path": "$.note[*].text", "value": "t"},
            [n | {"text": "t"} for n in NOTES],
        ),
        ({"op": "remove", "path": "$.note[-1]"}, NOTES[:2]),
    ],
)
def test_a_query_patch_selects_elements(
    api: httpx.Client, operation: dict[str, Any], expected: list[Any]
) -> None:
    before = create(api, note=NOTES)
    answer = patch(api, before["href"], [operation], QUERY_PATCH)
    assert answer.status_code == 200, answer.text
    assert answer.json()["note"] == expected


@pytest.mark.parametrize(
    "path",
    [
        "/note?author=nobody",
        "$.note[?(@.x==1)]",
        "$.[",
        "/note?",
        "/description?reason=nobody",
        "/note?channel.id=nobody",
        "$..note",
        "$.note[?(@.text=~/(x+)+$/)]",
        "$" + "[?@" * 200 + "]" * 200,
    ],
)
def test_a_query_patch_that_selects_nothing_says_so(api: httpx.Client, path: str) -> None:
    before = create(api, note=NOTES, description="d")
    answer = patch(api, before["href"], [{"op": "remove", "path": path}], QUERY_PATCH)
    assert "operation 0" in error_of(answer, 409)["message"]
    assert api.get(before["href"]).json() == before


@pytest.mark.parametrize(
    "path", ["$.note[?(@.a in [" + "/" * 2000, "/note?author=" + "x" * 2000, "/" * 2000 + "[?("]
)
def test_the_path_of_a_query_patch_has_a_bounded_length(api: httpx.Client, path: str) -> None:
    before = create(api, note=NOTES)
    answer = patch(api, before["href"], [{"op": "remove", "path": path}], QUERY_PATCH)
    message = error_of(answer, 400)["message"]
    assert "operation 0" in message
    assert "more than 1000 characters" in message


def test_elements_that_get_the_same_value_stay_apart(api: httpx.Client) -> None:
    href = create(api, note=NOTES)["href"]
    operations = [
        {"op": "add", "path": "/note/x?author=a", "value": {"n": 1}},
        {"op": "replace", "path": "/note/0/x/n", "value": 2},
    ]
    notes = patch(api, href, operations, QUERY_PATCH).json()["note"]
    assert [note.get("x") for note in notes] == [{"n": 2}, None, {"n": 1}]


def test_a_condition_beside_the_way_is_the_resources(api: httpx.Client) -> None:
    href = create(api, note=NOTES, description="d")["href"]
    operation = {"op": "replace", "path": "/description?reason=A+fault", "value": "e"}
    assert patch(api, href, [operation], QUERY_PATCH).json()["description"] == "e"


@pytest.mark.parametrize(
    ("media_type", "operations"),
    [
        (JSON_PATCH, [{"op": "copy", "from": "/x", "path": f"/x/{n}"} for n in range(40)]),
        (JSON_PATCH, [{"op": "copy", "from": "/x", "path": "/x/a"}] * 40),
        (
            QUERY_PATCH,
            [{"op": "add", "path": "$.x.many[*].big", "value": "v" * 10_000}],
        ),
    ],
)
def test_a_patch_cannot_grow_without_bound(
    api: httpx.Client, media_type: str, operations: list[Any]
) -> None:
    before = create(api, x={"many": [{} for _ in range(1000)]})
    error_of(patch(api, before["href"], operations, media_type), 413)
    assert api.get(before["href"]).json() == before


def test_a_patch_cannot_nest_without_bound(api: httpx.Client) -> None:
    before = create(api, x={})
    operations = [{"op": "add", "path": "/x" + "/y" * depth, "value": {}} for depth in range(1, 90)]
    message = error_of(patch(api, before["href"], operations, JSON_PATCH), 409)["message"]
    assert "deeper" in message


def test_the_href_a_client_sees_can_be_tested_and_not_removed(api: httpx.Client) -> None:
    href = create(api)["href"]
    test = {"op": "test", "path": "/href", "value": href}
    assert patch(api, href, [test], JSON_PATCH).status_code == 200
    gone = patch(api, href, [{"op": "remove", "path": "/href"}], JSON_PATCH)
    assert "/href" in error_of(gone, 400)["message"]


def test_what_patches_there_are_is_told(api: httpx.Client) -> None:
    answer = patch(api, create(api)["href"], {}, "text/plain")
    error_of(answer, 415)
    accepted = answer.headers["accept-patch"].split(", ")
    assert {MERGE, JSON_PATCH, QUERY_PATCH} <= set(accepted)
    assert (
        "accept-patch"
        not in api.post(
            "/partyInteraction", content="{}", headers={"Content-Type": "text/plain"}
        ).headers
    )


def test_entity_tags_tell_versions_apart(api: httpx.Client) -> None:
    answer = api.post("/partyInteraction", json=create(api))
    href, first = answer.headers["location"], answer.headers["etag"]
    assert first.startswith('"')
    assert api.get(href).headers["etag"] == first
    second = patch(api, href, {"reason": "2"}).headers["etag"]
    assert second != first
    assert patch(api, href, {"reason": "2"}).headers["etag"] == second, "nothing has changed"


def test_reading_again_costs_no_body(api: httpx.Client) -> None:
    href = create(api)["href"]
    tag = api.get(href).headers["etag"]
    for known in (tag, f'W/{tag}, "x"', "*"):
        answer = api.get(href, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    assert api.get(href, headers={"If-None-Match": '"other"'}).status_code == 200


def test_changes_can_be_made_conditional(api: httpx.Client) -> None:
    href = create(api)["href"]
    old = api.get(href).headers["etag"]
    new = api.patch(href, json={"reason": "2"}, headers={"If-Match": old}).headers["etag"]
    for stale in (old, f"W/{new}", '"x"'):
        headers = {"If-Match": stale}
        error_of(api.patch(href, json={"reason": "3"}, headers=headers), 412)
        error_of(api.delete(href, headers=headers), 412)
    assert api.get(href).json()["reason"] == "2"
    assert api.patch(href, json={"reason": "3"}, headers={"If-Match": "*"}).status_code == 200
    tag = api.get(href).headers["etag"]
    assert api.delete(href, headers={"If-Match": f'"x", {tag}'}).status_code == 204


def test_a_weak_tag_is_refused_with_the_reason(api: httpx.Client) -> None:
    answer = create(api)
    href, tag = answer["href"], api.get(answer["href"]).headers["etag"]
    for weak in (f"W/{tag}", 'W/"x"', f'W/"x", W/{tag}'):
        refused = api.patch(href, json={"reason": "2"}, headers={"If-Match": weak})
        assert "weak tags never match" in error_of(refused, 412)["message"]
        assert "strong ETags" in error_of(refused, 412)["message"]


@pytest.mark.parametrize("tags", ["", "x", '"x', '"x" "y"', "* , *", 'w/"x"'])
def test_a_precondition_that_is_none_is_refused(api: httpx.Client, tags: str) -> None:
    href = create(api, reason="1")["href"]
    for answer in (
        api.patch(href, json={"reason": "2"}, headers={"If-Match": tags}),
        api.delete(href, headers={"If-Match": tags}),
    ):
        assert "If-Match takes" in error_of(answer, 400)["message"]
    assert api.get(href).json()["reason"] == "1"


def test_no_update_of_fifty_writers_vanishes(api: httpx.Client) -> None:
    href = create(api, note=[])["href"]

    def add(number: int) -> int:
        operation = {"op": "add", "path": "/note/-", "value": {"id": str(number)}}
        return patch(api, href, [operation], JSON_PATCH).status_code

    with ThreadPoolExecutor(50) as writers:
        statuses = list(writers.map(add, range(50)))
    assert set(statuses) <= {200, 409}
    acknowledged = {str(number) for number, status in enumerate(statuses) if status == 200}
    kept = [note["id"] for note in api.get(href).json()["note"]]
    assert sorted(kept) == sorted(acknowledged)
    assert len(acknowledged) >= 25, "most writers should get through"
