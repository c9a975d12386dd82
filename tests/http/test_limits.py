"""What one client, or all at once, may ask of a server, and what is answered beyond that."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from app.identity.api_keys import make_key
from app.tmf630.caller import Access
from tests.conftest import OURS
from tests.http.conftest import MINIMAL, error_of
from tests.server import Server, running_server

COLLECTION = "/tmf-api/partyInteraction/v4/partyInteraction"


@pytest.fixture(scope="module")
def narrow() -> Iterator[Server]:
    env = {
        "TMF_MAX_HEADERS": "4096",
        "TMF_HEADER_SECONDS": "1",
        "TMF_REQUEST_SECONDS": "2",
        "TMF_MAX_CONCURRENT": "2",
    }
    with running_server(OURS, env=env) as server:
        yield server


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        yield connection


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str]]:
    """Read an answer to its end; the server closes."""
    content = b""
    while part := connection.recv(65536):
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /x HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 5000,
        b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: h\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 5000,
    ],
    ids=["one header", "target", "many headers"],
)
def test_headers_have_a_bound(narrow: Server, request_head: bytes) -> None:
    with connected(narrow) as connection:
        connection.sendall(request_head)
        status, error = answer_of(connection)
    assert status == 431
    assert error["code"] == "headersTooLarge"
    assert error["status"] == "431"


def test_what_is_not_http_gets_an_error_that_says_so(narrow: Server) -> None:
    with connected(narrow) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        status, error = answer_of(connection)
    assert (status, error["code"]) == (400, "malformedRequest")


@pytest.mark.parametrize("begin", [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: h\r\nX: "])
def test_who_does_not_finish_its_headers_is_cut_off(narrow: Server, begin: bytes) -> None:
    sent = 0
    with connected(narrow) as connection:
        connection.sendall(begin)
        connection.settimeout(0.2)
        with suppress(BrokenPipeError, ConnectionResetError):
            while sent < 200:
                connection.sendall(b"x" if begin else b"")
                sent += 1
                with suppress(TimeoutError):
                    if connection.recv(100) == b"":
                        break
    assert 2 < sent < 200, "it has its second, and no end of them"


def test_slow_headers_on_a_used_connection_are_cut_off_too(narrow: Server) -> None:
    with connected(narrow) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n")
        text = b""
        while not text.endswith(b"}"):
            text += connection.recv(4096)
        assert b"200 OK" in text
        connection.sendall(b"GET /health/live HTT")
        connection.settimeout(60)
        assert connection.recv(100) == b""


@contextmanager
def slow_body(server: Server) -> Iterator[socket.socket]:
    """Begin a request whose body does not come."""
    with connected(server) as connection:
        head = f"POST {COLLECTION} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n"
        connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            text += connection.recv(1)
        assert text.startswith(b"HTTP/1.1 100")  # the server reads the body
        connection.sendall(b"{")
        yield connection


def test_a_request_that_lasts_too_long_is_answered_all_the_same(narrow: Server) -> None:
    with slow_body(narrow) as connection:
        text = b""
        while not text.endswith(b"}"):
            text += connection.recv(65536)
    assert text.startswith(b"HTTP/1.1 503")
    assert b"requestTimeout" in text
    assert b"retry-after" in text.lower()


def test_clients_that_send_slowly_hold_no_slot(narrow: Server) -> None:
    with slow_body(narrow), slow_body(narrow), slow_body(narrow):
        assert httpx.get(narrow.url + COLLECTION, trust_env=False).status_code == 200
        assert httpx.get(f"{narrow.url}/health/live", trust_env=False).status_code == 200
        assert httpx.get(f"{narrow.url}/metrics", trust_env=False).status_code == 200


@pytest.mark.parametrize("shared", ["false", "true"])
@pytest.mark.parametrize("store", ["sqlite", "mongo"])
def test_a_client_that_asks_too_often_is_told_to_wait(
    request: pytest.FixtureRequest, store: str, shared: str
) -> None:
    url = None
    if store == "mongo":
        url = f"{request.getfixturevalue('mongo')}rates{uuid.uuid4().hex[:8]}"
    first, entry = make_key("first", [Access.READ])
    second, other = make_key("second", [Access.READ])
    env = {
        "TMF_RATE_LIMIT": "0.01",
        "TMF_RATE_BURST": "5",
        "TMF_RATE_SHARED": shared,
        "TMF_API_KEYS": f"{entry},{other}",
    }
    workers = 2 if shared == "true" else 1
    with running_server(OURS, store=url, workers=workers, env=env) as server:
        path = server.url + COLLECTION

        def ask(**headers: str) -> httpx.Response:
            return httpx.get(path, headers=headers, trust_env=False, timeout=30)

        answers = [ask(**{"X-API-Key": first}) for _ in range(8)]
        statuses = [each.status_code for each in answers]
        assert statuses == [200] * 5 + [429] * 3
        assert error_of(answers[-1], 429)["code"] == "rateLimited"
        assert int(answers[-1].headers["retry-after"]) > 1
        assert ask(**{"X-API-Key": second}).status_code == 200
        guesses = [ask(**{"X-API-Key": f"guess-{n}"}).status_code for n in range(8)]
        assert guesses == [401] * 4 + [429] * 4  # one went on looking up the start page
        metrics = httpx.get(f"{server.url}/metrics", trust_env=False)
        assert metrics.status_code == 429  # guessing goes no further there
        health = [httpx.get(f"{server.url}/health/live", trust_env=False) for _ in range(10)]
        assert {each.status_code for each in health} == {200}


def test_behind_a_proxy_the_client_is_who_the_proxy_says() -> None:
    env = {"TMF_RATE_LIMIT": "0.01", "TMF_RATE_BURST": "2", "TMF_TRUST_FORWARDED": "true"}
    with running_server(OURS, env=env) as server:
        path = server.url + COLLECTION

        def ask(forwarded: str) -> int:
            headers = {"X-Forwarded-For": forwarded}
            return httpx.get(path, headers=headers, trust_env=False).status_code

        assert [ask("198.51.100.7") for _ in range(3)] == [200, 200, 429]
        assert ask("forged, 198.51.100.7") == 429  # the proxy's own entry is the last
        assert ask("198.51.100.8") == 200


def test_browsers_of_other_origins_are_kept_out_unless_listed(one: httpx.Client) -> None:
    preflight = {"Origin": "https://desk.example", "Access-Control-Request-Method": "PATCH"}
    assert (
        "access-control-allow-origin" not in one.get("/partyInteraction", headers=preflight).headers
    )
    key, entry = make_key("desk", [Access.READ])
    env = {"TMF_CORS_ORIGINS": "https://desk.example", "TMF_API_KEYS": entry}
    with running_server(OURS, env=env) as server:
        path = server.url + COLLECTION
        allowed = httpx.options(path, headers=preflight, trust_env=False)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://desk.example"
        assert "PATCH" in allowed.headers["access-control-allow-methods"]
        other = httpx.options(path, headers=preflight | {"Origin": "https://x.example"})
        assert other.status_code == 400
        sent = {"Origin": "https://desk.example", "X-API-Key": key}
        answer = httpx.get(path, headers=sent, trust_env=False)
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        refused = httpx.get(path, headers={"Origin": "https://desk.example"}, trust_env=False)
        assert error_of(refused, 401)
        assert refused.headers["access-control-allow-origin"] == "https://desk.example"


def test_answers_are_not_sniffed_nor_kept_by_others(one: httpx.Client) -> None:
    made = one.post("/partyInteraction", json=MINIMAL)
    for answer in (made, one.get(made.headers["location"]), one.get("/partyInteraction")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-cache"
    assert one.get("/partyInteraction/x").headers["x-content-type-options"] == "nosniff"


def test_pages_say_what_browsers_may_do_with_them(one: httpx.Client) -> None:
    headers = one.get("/ui/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
