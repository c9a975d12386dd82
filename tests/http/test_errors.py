from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest

from tests.conftest import OURS
from tests.http.conftest import MINIMAL, create, error_of
from tests.server import Server, running_server

COLLECTION = "/partyInteraction"
MISSING = f"{COLLECTION}/9537d3a7-af52-44a7-b675-26e2fa32df85"


def post(api: httpx.Client, content: bytes, media_type: str | None) -> httpx.Response:
    headers = {"Content-Type": media_type} if media_type else {}
    return api.post(COLLECTION, content=content, headers=headers)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no body"),
        (b"   ", "line 1, column"),
        (b'{"reason": ', "line 1, column 12"),
        (b'{\n "reason": "x",\n]', "line 3, column 1"),
        (b"[1,]", "line 1, column"),
        (b"{'a': 1}", "line 1, column 2"),
        (b'{"a": 1} x', "line 1, column 10"),
        (b'{"a":1,"b":2,"a":3}', "'a' appears twice"),
        (b'{"a":{"b":[{"c":1,"c":1}]}}', "'c' appears twice"),
        (b'{"a":"\xff"}', "not UTF-8"),
        ('{"a":"x"}'.encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "line 1, column 1"),
        (b'{"a":"\x00"}', "line 1, column 7"),
        (b'{"a":"A\\u0000B"}', "U+0000"),
        (b'{"a":[{"\\u0000":1}]}', "U+0000"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b'{"a":1e400}', "out of range"),
        (b'{"a":-1e999}', "out of range"),
        (b'{"a":' + b"9" * 400 + b"}", "out of range"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested deeper than 64 levels, at line 1"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":01}', "line 1"),
        (b'{"a":"\t"}', "line 1"),
    ],
    ids=lambda each: repr(each)[:40],
)
def test_a_body_that_is_no_acceptable_json_is_refused_with_its_place(
    one: httpx.Client, content: bytes, says: str
) -> None:
    error = error_of(post(one, content, "application/json"), 400)
    assert error["code"] == "malformedBody"
    assert says in error["message"], error


def test_sixty_four_levels_and_brackets_in_texts_are_accepted(one: httpx.Client) -> None:
    deep: object = "[" * 200 + "{" * 200
    for _ in range(63):
        deep = {"a": deep}
    assert create(one, deep=deep["a"])["deep"] == deep["a"]  # type: ignore[index]


def test_unusual_but_legal_texts_are_kept(one: httpx.Client) -> None:
    text = "a\u0001b\\u0000\U0001f600\uffff"
    body = create(one, description=text, **{"": {"\u0001": 2**63, "n": -(2**64)}})
    assert body["description"] == text
    assert body[""] == {"\u0001": 2**63, "n": -(2**64)}
    assert one.get(body["href"]).json() == body


@pytest.mark.parametrize(
    ("change", "pointer", "rule"),
    [
        ({"channel": []}, "/channel", "at least 1"),
        ({"channel": [{"href": "x"}]}, "/channel/0/id", "required"),
        ({"channel": {"id": "1"}}, "/channel", "array"),
        ({"reason": 5}, "/reason", "string"),
        ({"reason": None}, "/reason", "required"),
        ({"interactionDate": {"startDateTime": "now"}}, "startDateTime", "date-time"),
        ({"@schemaLocation": 5}, "/@schemaLocation", "string"),
        ({"relatedParty": [{"id": "1", "href": "x"}]}, "/relatedParty/0/@referredType", "required"),
        ({"relatedParty": [{"id": "1"}]}, "/relatedParty/0/@referredType", "or role instead"),
        ({"attachment": [{"size": {"amount": "5"}}]}, "/attachment/0/size/amount", "number"),
    ],
)
def test_a_body_that_breaks_the_contract_is_refused_by_pointer_and_rule(
    one: httpx.Client, change: dict[str, object], pointer: str, rule: str
) -> None:
    error = error_of(one.post(COLLECTION, json=MINIMAL | change), 400)
    assert error["code"] == "invalidBody"
    assert pointer in error["message"]
    assert rule in error["message"]


def test_a_missing_attribute_is_named(one: httpx.Client) -> None:
    for name in MINIMAL:
        body = {key: value for key, value in MINIMAL.items() if key != name}
        assert f"/{name} is required" in error_of(one.post(COLLECTION, json=body), 400)["message"]


def test_a_body_without_content_type_is_validated_like_any(one: httpx.Client) -> None:
    assert post(one, json.dumps(MINIMAL).encode(), None).status_code == 201
    error_of(post(one, b'{"reason":1}', None), 400)


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 201),
        ("application/json;charset=utf-8", 201),
        ("application/json; charset=UTF-8", 201),
        ("APPLICATION/JSON", 201),
        ("application/json;charset=latin-1", 415),
        ("text/plain", 415),
        ("application/xml", 415),
        ("application/merge-patch+json", 415),
        ("x", 415),
    ],
)
def test_media_types(one: httpx.Client, media_type: str, status: int) -> None:
    answer = post(one, json.dumps(MINIMAL).encode(), media_type)
    assert answer.status_code == status
    if status == 415:
        assert "application/json" in error_of(answer, 415)["message"] or "UTF-8" in answer.text


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("br", 415), ("identity", 201)])
def test_a_body_is_not_taken_for_what_its_encoding_hides(
    one: httpx.Client, encoding: str, status: int
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    content = json.dumps(MINIMAL).encode()
    assert one.post("/partyInteraction", content=content, headers=headers).status_code == status


def test_a_content_type_without_a_body_means_nothing(one: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain", "Authorization": "Bearer x"}
    assert one.get(COLLECTION, headers=headers).status_code == 200
    error_of(one.delete(MISSING, headers=headers), 404)


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_refused(one: httpx.Client, declared: bool) -> None:
    content = b'{"a":"' + b"x" * (1024 * 1024) + b'"}'
    body = content if declared else iter([content[:600_000], content[600_000:]])
    headers = {"Content-Type": "application/json"}
    assert (
        "1048576" in error_of(one.post(COLLECTION, content=body, headers=headers), 413)["message"]
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", COLLECTION, "GET, HEAD, POST"),
        ("DELETE", COLLECTION, "GET, HEAD, POST"),
        ("OPTIONS", COLLECTION, "GET, HEAD, POST"),
        ("POST", MISSING, "DELETE, GET, HEAD, PATCH"),
        ("PUT", MISSING, "DELETE, GET, HEAD, PATCH"),
        ("GET", "/hub", "POST"),
        ("POST", "/openapi.json", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    one: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = one.request(method, path)
    error = error_of(answer, 405)
    assert answer.headers["allow"] == allowed
    here = httpx.URL(str(answer.url)).path
    assert error["message"] == f"{here} has {allowed}, and not {method}"


@pytest.mark.parametrize("path", ["/nope", "/partyInteraction/a/b", "/partyinteraction", "/ui/x"])
def test_an_unknown_address_is_not_found(one: httpx.Client, path: str) -> None:
    answer = one.get(path)
    assert error_of(answer, 404)["message"] == f"no operation and no page is at {answer.url.path}"


def test_an_endless_address_is_not_repeated_whole(one: httpx.Client) -> None:
    message = error_of(one.get("/nope/" + "x" * 10_000), 404)["message"]
    assert len(message) < 300
    assert message.endswith("xxx…")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=abc", "parameter limit must be of type integer"),
        ("limit=-1", "parameter limit must be at least 0"),
        ("offset=-5", "parameter offset"),
        ("offset=1.5", "parameter offset"),
        ("limit=1&limit=2", "more than once"),
        ("limit=", "parameter limit"),
        ("a=%ff", "UTF-8"),
        ("limit=" + "9" * 5000, "parameter limit"),
        ("&".join(f"a{i}=1" for i in range(300)), "parameters"),
    ],
    ids=lambda each: each[:30],
)
def test_a_wrong_parameter_is_named(one: httpx.Client, query: str, says: str) -> None:
    assert says in error_of(one.get(f"{COLLECTION}?{query}"), 400)["message"]


def test_the_clients_request_id_comes_back(one: httpx.Client) -> None:
    answer = one.get("/nope", headers={"X-Request-ID": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"
    answer = one.get("/nope", headers={"X-Request-ID": "<script>" * 20})
    assert "<" not in answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("//partyInteraction", 200), ("/partyInteraction/", 200), ("//partyInteraction//", 200)],
)
def test_stray_slashes_are_forgiven(one: httpx.Client, path: str, expected: int) -> None:
    assert one.get(str(one.base_url).rstrip("/") + path).status_code == expected
    created = one.post(str(one.base_url).rstrip("/") + path, json=MINIMAL)
    assert created.status_code == 201


def raw(server: Server, request: bytes) -> bytes:
    """Send bytes that no HTTP library would, and return the answer."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer or b"}" not in answer.partition(b"\r\n\r\n")[2]:
            part = connection.recv(65536)
            if not part:
                break
            answer += part
        return answer


def test_a_host_that_is_none_is_refused(sqlite_server: Server) -> None:
    path = sqlite_server.base_url.removeprefix(sqlite_server.url) + COLLECTION
    request = f'GET {path} HTTP/1.1\r\nHost: a"b<c>\r\n\r\n'.encode()
    assert raw(sqlite_server, request).startswith(b"HTTP/1.1 400")


def test_a_request_without_host_is_answered(sqlite_server: Server) -> None:
    path = sqlite_server.base_url.removeprefix(sqlite_server.url) + COLLECTION
    answer = raw(sqlite_server, f"GET {path}?limit=1 HTTP/1.0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200")


def test_the_strict_profile_keeps_what_the_contract_requires() -> None:
    with running_server(OURS, profile="strict") as server:
        answer = httpx.post(f"{server.base_url}{COLLECTION}", json=MINIMAL, trust_env=False)
        message = error_of(answer, 400)["message"]
        for pointer in ("/interactionDate", "/status", "/channel/0/href"):
            assert f"{pointer} is required" in message
        whole = MINIMAL | {
            "interactionDate": {},
            "status": "opened",
            "channel": [{"id": "1", "href": "x"}],
        }
        answer = httpx.post(f"{server.base_url}{COLLECTION}", json=whole, trust_env=False)
        assert answer.status_code == 201


def test_the_official_document_serves_unmodified(official: Path) -> None:
    with (
        running_server(official, env={"TMF_VALIDATE_RESPONSES": "true"}) as server,
        httpx.Client(base_url=server.base_url, trust_env=False) as client,
    ):
        body = create(client)
        headers = {"Content-Type": "application/json;charset=utf-8"}
        answer = client.patch(body["href"], content=b'{"reason":"x"}', headers=headers)
        assert answer.json()["reason"] == "x"
        assert client.delete(body["href"]).status_code == 204


def test_a_message_is_short_however_much_is_wrong(one: httpx.Client) -> None:
    note = {"author": 1, "text": 2, "date": "x" * 5000, "id": 4}
    item = {"note": [note] * 20, "attachment": [{"description": 1}] * 20}
    error = error_of(one.post("/partyInteraction", json=MINIMAL | {"interactionItem": [item]}), 400)
    assert len(error["message"]) < 720
    assert error["message"].startswith("/interactionItem/0/")
    assert error["message"].endswith(" more")
