"""HTTP as clients and proxies speak it, over raw sockets."""

from __future__ import annotations

import json
import re
import resource
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import pytest

from tests.conftest import OURS
from tests.http.conftest import MINIMAL, error_of, is_cut
from tests.server import Server, eventually, family_of, is_running, running_server

API = "/tmf-api/partyInteraction/v4"
COLLECTION = f"{API}/partyInteraction"
CURL = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:"]
CURL += ["-H", "Content-Type: application/json"]
BODY = json.dumps(MINIMAL).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server whose connections have little time."""
    env = {
        "TMF_HEADER_SECONDS": "1",
        "TMF_KEEP_ALIVE": "2",
        "TMF_WRITE_SECONDS": "1",
        "TMF_MAX_BODY": "20000",
        "TMF_API_KEYS": "",
    }
    with running_server(OURS, env=env) as running:
        yield running


def connect(server: Server) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port), timeout=60)


def read_response(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one response with a Content-Length."""
    text = b""
    while b"\r\n\r\n" not in text:
        part = connection.recv(65536)
        assert part, f"the connection closed after {text!r}"
        text += part
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    while len(body) < int(headers.get("content-length", "0")):
        part = connection.recv(65536)
        assert part
        body += part
    return int(lines[0].split()[1]), headers, body


def ask(server: Server, request: bytes) -> tuple[int, dict[str, str], bytes]:
    with closing(connect(server)) as connection:
        connection.sendall(request)
        return read_response(connection)


def closes(connection: socket.socket) -> bool:
    """Whether the server ends the connection; what it sends before is ignored."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_request_without_host_is_refused(server: Server) -> None:
    status, _, body = ask(server, f"GET {COLLECTION} HTTP/1.1\r\n\r\n".encode())
    assert (status, json.loads(body)["code"]) == (400, "invalidHost")
    twice = f"GET {COLLECTION} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".encode()
    assert ask(server, twice)[0] == 400
    assert ask(server, f"GET {COLLECTION} HTTP/1.0\r\n\r\n".encode())[0] == 200


@pytest.mark.parametrize("host", ["inner", "127.0.0.1:1", "localhost"])
def test_an_absolute_target_wins_over_host(server: Server, host: str) -> None:
    head = f"POST http://outer:8443{COLLECTION} HTTP/1.1\r\nHost: {host}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    status, headers, body = ask(server, head.encode() + BODY)
    assert status == 201
    assert json.loads(body)["href"].startswith(f"http://outer:8443{COLLECTION}/")
    assert headers["location"].startswith("http://outer:8443/")


@pytest.mark.parametrize("target", ["http://outer", "http://outer/", "HTTP://OUTER:80/?a=b"])
def test_absolute_targets_without_a_path_are_the_root(server: Server, target: str) -> None:
    assert ask(server, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())[0] == 200


@pytest.mark.parametrize("method", ["BREW", "get", "X-A", "PROPFINDX", "PRI"])
def test_an_unknown_method_is_not_implemented(server: Server, method: str) -> None:
    status, _, body = ask(server, f"{method} {COLLECTION} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (status, json.loads(body)["code"]) == (501, "notImplemented")


@pytest.mark.parametrize("method", ["PROPFIND", "LINK", "MKCOL"])
def test_a_known_method_that_no_operation_has_is_not_allowed(server: Server, method: str) -> None:
    status, headers, _ = ask(server, f"{method} {COLLECTION} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status == 405
    assert headers["allow"] == "get, head, post"


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"hello\r\n\r\n", b"GET\r\n"])
def test_what_is_not_http_is_refused(server: Server, garbage: bytes) -> None:
    status, _, body = ask(server, garbage)
    assert (status, json.loads(body)["code"]) == (400, "malformedRequest")


@pytest.mark.parametrize(
    "target",
    [f"{COLLECTION}?reason=für", f"{COLLECTION}/ü", "/日本", f"{COLLECTION}?reason=a b"],
)
def test_a_raw_target_is_told_to_percent_encode(server: Server, target: str) -> None:
    status, _, body = ask(server, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status == 400
    assert "percent-encode" in json.loads(body)["message"]


@pytest.mark.parametrize("line", ["PRI * HTTP/2.0", "GET / HTTP/1.2", "GET / HTTP/3.0"])
def test_other_versions_of_http_are_told_apart(server: Server, line: str) -> None:
    status, _, body = ask(server, f"{line}\r\nHost: x\r\n\r\n".encode())
    assert (status, json.loads(body)["code"]) == (505, "httpVersion")


@pytest.mark.parametrize("offer", ["", "Connection: Upgrade\r\nUpgrade: h2c\r\n"])
def test_trailers_are_no_headers(server: Server, offer: str) -> None:
    head = f"POST {COLLECTION} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{offer}"
    head += "Content-Type: application/json\r\nTrailer: Host\r\n\r\n"
    body = b"%x\r\n%b\r\n0\r\nHost: evil\r\nX-Request-Id: evil\r\n\r\n" % (len(BODY), BODY)
    status, headers, _ = ask(server, head.encode() + body)
    assert status == 201
    assert headers["location"].startswith(f"http://localhost{COLLECTION.lower()}/")
    assert headers["x-request-id"] != "evil"


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (COLLECTION, "get, head, post"),
        (f"{COLLECTION}/", "get, head, post"),
        (f"{COLLECTION}/1", "delete, get, head, patch"),
        (f"{COLLECTION}/1/", "delete, get, head, patch"),
        (f"{API}//partyInteraction/", "get, head, post"),
        (f"{API}/hub/1/", "delete"),
        ("/metrics", "get, head"),
        ("/health/ready", "get, head"),
    ],
)
def test_allow_names_the_methods_of_an_address(server: Server, path: str, allow: str) -> None:
    request = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    status, headers, body = ask(server, request)
    assert status == 405
    assert headers["allow"] == allow
    assert json.loads(body)["code"] == "methodNotAllowed"


def test_the_hub_says_what_it_takes_with_a_slash_or_without(server: Server) -> None:
    allowed = [
        ask(server, f"PUT {API}/hub{slash} HTTP/1.1\r\nHost: x\r\n\r\n".encode())[1]["allow"]
        for slash in ("", "/")
    ]
    assert allowed[0] == allowed[1]
    assert "post" in allowed[0]


@pytest.mark.parametrize(
    ("method", "headers", "name", "value"),
    [
        ("POST", {"Content-Type": "text/xml"}, "accept", "application/json"),
        ("PATCH", {"Content-Type": "text/xml"}, "accept-patch", "application/merge-patch+json"),
        ("POST", {"Content-Encoding": "gzip"}, "accept-encoding", "identity"),
    ],
)
def test_a_415_names_what_is_read(
    server: Server, method: str, headers: dict[str, str], name: str, value: str
) -> None:
    path = COLLECTION if method == "POST" else f"{COLLECTION}/1"
    answer = httpx.request(
        method, server.url + path, content=b"{}", headers=headers, trust_env=False
    )
    error_of(answer, 415)
    assert value in answer.headers[name]


@pytest.mark.parametrize("declared", [True, False])
def test_a_client_that_sends_too_much_reads_the_413(server: Server, declared: bool) -> None:
    content = b"[" + b"1," * 2_000_000
    head = f"POST {COLLECTION} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    if declared:
        head += f"Content-Length: {len(content)}\r\n\r\n"
    else:
        head += "Transfer-Encoding: chunked\r\n\r\n" + f"{len(content):x}\r\n"
    for _ in range(20):
        with closing(connect(server)) as connection:
            connection.sendall(head.encode() + content)
            status, headers, body = read_response(connection)
            assert status == 413
            assert headers["connection"] == "close"
            assert json.loads(body)["code"] == "bodyTooLarge"
            assert connection.recv(1) == b"", "closed in order, not reset"


def test_curl_reads_the_413_every_time(server: Server) -> None:
    """curl sends the body at once, without waiting for a 100."""
    content = b"x" * 3_000_000
    for _ in range(10):
        try:
            done = subprocess.run(
                [*CURL, "--data-binary", "@-", server.url + COLLECTION],
                input=content,
                capture_output=True,
                check=False,
                timeout=60,
            )
        except FileNotFoundError:
            pytest.skip("curl is not installed")
        assert (done.returncode, done.stdout) == (0, b"413"), done.stderr


UNREAD = b"POST /metrics HTTP/1.1\r\nHost: x\r\n"
IDLE = {
    "nothing": b"",
    "a line end": b"\r\n",
    "half a head": b"GET / HTT",
    "an answered request": b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "an answered request and a line end": b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n\r\n",
    "an answered request and half a head": b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /",
    "a refused request": b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a body that does not come": UNREAD + b"Content-Length: 999999\r\n\r\n1",
    "a chunked body that does not come": UNREAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n1",
}


@pytest.mark.slow
@pytest.mark.parametrize("case", IDLE)
def test_no_connection_stays_open_for_ever(server: Server, case: str) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(IDLE[case])
        assert closes(connection)


@pytest.mark.parametrize("end", [b"\r\n", b"x"])
def test_a_byte_after_a_response_does_not_keep_a_connection(server: Server, end: bytes) -> None:
    with closing(connect(server)) as connection:
        for _ in range(2):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_response(connection)[0] == 200
        connection.sendall(end)
        assert closes(connection)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["nothing", "an answered request", "half a head"])
def test_line_ends_one_after_the_other_do_not_keep_a_connection(
    server: Server, before: str
) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(IDLE[before])
        ended = threading.Event()
        waiting = threading.Thread(target=lambda: closes(connection) and ended.set())
        waiting.start()

        def ends() -> bool:
            with suppress(OSError):
                connection.sendall(b"\r\n")
            return ended.wait(0.3)

        try:
            assert eventually(ends)
        finally:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            waiting.join()


def test_a_connection_is_kept_between_requests() -> None:
    with running_server(OURS) as server, closing(connect(server)) as connection:
        for _ in range(5):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert "connection" not in read_response(connection)[1]


def test_pipelined_requests_are_answered_before_the_one_that_is_refused(server: Server) -> None:
    one = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with closing(connect(server)) as connection:
        connection.sendall(one * 2 + b"GET /health/live HTTP/1.1\r\n\r\n")
        text = b""
        while part := connection.recv(65536):
            text += part
    assert re.findall(rb"HTTP/1.1 (\d+)", text) == [b"200", b"200", b"400"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=1&reason=" + "%C3%BC" * 160,
        "limit=1&fields=" + ",".join(f"attributeNumber{n:03}" for n in range(80)),
        "limit=1&id=" + ",".join(f"0199c0de-0000-7000-8000-{n:012}" for n in range(40)),
        "limit=1&offset=1&sort=-" + ",".join("description" for _ in range(300)),
    ],
)
def test_the_head_of_a_response_fits_into_4_kb(server: Server, query: str) -> None:
    for _ in range(3):
        httpx.post(server.url + COLLECTION, json=MINIMAL, trust_env=False).raise_for_status()
    with closing(connect(server)) as connection:
        connection.sendall(f"GET {COLLECTION}?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        text = connection.recv(1_000_000)
    assert text.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400")), text[:300]
    assert len(text.partition(b"\r\n\r\n")[0]) < 4096


def test_next_is_left_out_last(server: Server) -> None:
    for _ in range(3):
        httpx.post(server.url + COLLECTION, json=MINIMAL, trust_env=False).raise_for_status()
    fields = ",".join(f"attributeNumber{n:03}" for n in range(60))
    answer = httpx.get(f"{server.url}{COLLECTION}?limit=1&fields={fields}", trust_env=False)
    assert set(answer.links) == {"next", "self"}
    following = httpx.get(answer.links["next"]["url"], trust_env=False).raise_for_status()
    assert following.json()[0]["id"] != answer.json()[0]["id"]


@pytest.mark.slow
def test_a_client_that_does_not_read_is_cut_off(server: Server) -> None:
    large = MINIMAL | {"description": "x" * 18_000}
    for _ in range(300):
        httpx.post(server.url + COLLECTION, json=large, trust_env=False).raise_for_status()
    with closing(connect(server)) as connection:
        request = f"GET {COLLECTION}?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        connection.sendall(request * 8)
        assert eventually(lambda: is_cut(connection))


@pytest.mark.slow
def test_a_list_ends_early_at_a_number_of_bytes_and_goes_on() -> None:
    large = MINIMAL | {"description": "x" * 900_000}
    with running_server(OURS) as server:
        made = set()
        for _ in range(20):
            answer = httpx.post(server.url + COLLECTION, json=large, trust_env=False, timeout=60)
            made.add(answer.raise_for_status().json()["id"])
        found: list[str] = []
        url: str | None = f"{server.url}{COLLECTION}?limit=1000"
        pages = 0
        while url:
            answer = httpx.get(url, trust_env=False, timeout=60).raise_for_status()
            assert len(answer.content) < 9 * 1024 * 1024
            assert answer.headers["x-total-count"] == "20"
            found += [each["id"] for each in answer.json()]
            url = answer.links.get("next", {}).get("url")
            pages += 1
        assert pages == 3
        assert len(found) == 20
        assert set(found) == made


@pytest.mark.slow
def test_idle_connections_make_room_for_new_ones() -> None:
    with running_server(OURS, env={"TMF_MAX_CONNECTIONS": "10"}) as server:
        kept = [connect(server) for _ in range(40)]
        assert httpx.get(f"{server.url}/health/live", trust_env=False).status_code == 200
        for each in kept:
            each.close()


@pytest.mark.slow
def test_connections_stay_below_the_limit_of_descriptors() -> None:
    """With 256 descriptors, 300 connections end no service."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        with running_server(OURS) as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            kept = []
            for number in range(300):
                kept.append(connect(server))
                kept[-1].sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                if number % 30 == 0:
                    answer = httpx.get(server.url + COLLECTION, trust_env=False, timeout=60)
                    assert answer.status_code == 200
            for each in kept:
                each.close()
            assert "Traceback" not in server.log()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.slow
def test_workers_and_delivery_end_when_their_master_is_killed() -> None:
    with running_server(OURS, workers=2) as server:
        # Master, workers and delivery.
        assert eventually(lambda: len(family_of(server.process.pid)) == 4)
        assert eventually(lambda: "deliverer started" in server.log())
        left = family_of(server.process.pid)[1:]
        server.process.kill()
        server.process.wait()

        def is_free() -> bool:
            try:
                connect(server).close()
            except ConnectionRefusedError:
                return True
            return False

        assert eventually(is_free)
        assert eventually(lambda: not any(map(is_running, left)))
        assert '"event":"worker.orphaned"' in server.log()
        assert '"reason":"the server is gone"' in server.log()
