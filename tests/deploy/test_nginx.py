"""`deploy/nginx.conf` in a real nginx, before a server and before one that records requests."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from app.settings import Settings
from tests.deploy.tools import ROOT
from tests.http.conftest import MINIMAL
from tests.server import eventually, free_port, running_server

CONFIGURATION = (ROOT / "deploy/nginx.conf").read_text()
COLLECTION = "/tmf-api/partyInteraction/v4/partyInteraction"
FORWARDED = {
    "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "//evil.example", "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Scheme": "gopher", "X-Forwarded-Server": "evil.example", "X-Forwarded-Ssl": "on",
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=gopher", "X-Real-IP": "6.6.6.6",
    "X-Original-URL": "/evil", "X-Rewrite-URL": "/evil",
}  # fmt: skip
OFFER = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAA"}


def for_one_machine(upstream: int, listen: int) -> str:
    """Return the configuration as the command in deploy/README.md changes it for one machine."""
    told = re.findall(r"-e '([^']+)'", (ROOT / "deploy/README.md").read_text())
    assert len(told) == 2
    command = ["sed", *(part for each in told for part in ("-e", each))]
    done = subprocess.run(command, input=CONFIGURATION, capture_output=True, text=True, check=True)
    text = done.stdout.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    assert text != done.stdout
    return text.replace("listen 8080", f"listen 127.0.0.1:{listen}")


@contextmanager
def nginx(upstream: int, folder: Path) -> Iterator[str]:
    """Run nginx before a port, and return its URL; skip where there is none."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if binary is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    paths = [f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi")]
    paths += [f"{name}_temp_path {folder}/{name};" for name in ("uwsgi", "scgi")]
    text = for_one_machine(upstream, port).replace("/run/nginx.pid", f"{folder}/nginx.pid")
    text = text.replace("http {", f"http {{\n  access_log off;\n  {' '.join(paths)}", 1)
    if os.geteuid() == 0:  # its workers could not write to the folder otherwise
        text = f"user root;\n{text}"
    file, log = folder / "nginx.conf", folder / "error.log"
    file.write_text(text)
    command = [binary, "-e", str(log), "-p", str(folder), "-c", str(file)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    process = subprocess.Popen([*command, "-g", "daemon off;"])
    try:
        assert eventually(lambda: answers(port)), log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Recorder:
    """A server that keeps what it is sent, and answers with the headers that it is given."""

    port: int
    headers: list[Mapping[str, str]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    answer: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    kept = Recorder(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kept.headers.append({name.lower(): value for name, value in self.headers.items()})
            kept.connections.add(self.client_address)
            self.send_response(200)
            for name, value in kept.answer.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_port
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def recorded(recorder: Recorder, tmp_path: Path) -> Iterator[str]:
    """Return the URL of nginx before the recorder."""
    with nginx(recorder.port, tmp_path) as url:
        yield url


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of nginx before a server that believes forwarded headers."""
    with running_server(env={"TMF_TRUST_FORWARDED": "true"}) as server:
        port = httpx.URL(server.url).port or 0
        with nginx(port, tmp_path_factory.mktemp("nginx")) as url:
            yield url


def test_what_clients_say_of_forwarding_does_not_reach_the_server(
    recorder: Recorder, recorded: str
) -> None:
    spoofed = {**FORWARDED, **{name.upper(): value for name, value in FORWARDED.items()}}
    httpx.get(f"{recorded}/x", headers=spoofed, trust_env=False).raise_for_status()
    (sent,) = recorder.headers
    host = recorded.removeprefix("http://")
    ours = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": host}
    about = ("forwarded", "x-forwarded", "x-real", "x-original", "x-rewrite")
    assert {name: value for name, value in sent.items() if name.startswith(about)} == ours
    assert sent["host"] == host


def test_what_is_for_the_next_hop_alone_is_not_passed_on(recorder: Recorder, recorded: str) -> None:
    httpx.get(f"{recorded}/x", headers=OFFER, trust_env=False).raise_for_status()
    (sent,) = recorder.headers
    assert not sent.keys() & {"connection", "upgrade", "http2-settings", "keep-alive"}


def test_a_client_of_http_1_0_may_leave_the_host_out(recorder: Recorder, recorded: str) -> None:
    url = httpx.URL(recorded)
    with closing(socket.create_connection((url.host, url.port or 0), 30)) as connection:
        connection.sendall(b"GET /x HTTP/1.0\r\n\r\n")
        assert b" 200 " in connection.recv(1000)
    assert recorder.headers[0]["host"] == recorded.removeprefix("http://")


def test_connections_to_the_server_are_used_again(recorder: Recorder, recorded: str) -> None:
    for _ in range(30):  # each a connection of its own to nginx
        httpx.get(f"{recorded}/x", trust_env=False).raise_for_status()
    assert len(recorder.connections) < 30


@pytest.mark.parametrize("size", [4_000, 8_000, 16_000, 30_000])
def test_the_head_of_an_answer_may_be_large(recorder: Recorder, recorded: str, size: int) -> None:
    recorder.answer["Link"] = "x" * size
    answer = httpx.get(f"{recorded}/x", trust_env=False)
    assert answer.status_code == 200
    assert len(answer.headers["link"]) == size


def test_an_entity_tag_stays_strong_whatever_encoding_the_client_accepts(
    recorder: Recorder, recorded: str
) -> None:
    recorder.answer |= {"ETag": '"1"', "Content-Type": "application/json"}
    for accepted in ("gzip", "gzip, deflate, br", "*", "identity"):
        answer = httpx.get(f"{recorded}/x", headers={"Accept-Encoding": accepted}, trust_env=False)
        assert answer.headers["etag"] == '"1"'
        assert "content-encoding" not in answer.headers


def test_a_resource_is_made_found_and_changed_through_nginx(proxied: str) -> None:
    with httpx.Client(base_url=proxied, trust_env=False, headers=FORWARDED) as client:
        made = client.post(COLLECTION, json=MINIMAL, headers=OFFER)
        assert made.status_code == 201
        href = made.json()["href"]
        assert href.startswith(f"{proxied}{COLLECTION}/")
        found = client.get(href)
        changed = client.patch(
            href, json={"description": "x"}, headers={"If-Match": found.headers["etag"]}
        )
        assert changed.status_code == 200
        ids = ",".join([made.json()["id"], *("a" * 36 for _ in range(20))])
        assert [each["id"] for each in client.get(COLLECTION, params={"id": ids}).json()] == [
            made.json()["id"]
        ]


def test_a_body_that_is_too_large_gets_an_error(proxied: str) -> None:
    size = Settings.model_fields["max_body"].default
    with httpx.Client(base_url=proxied, trust_env=False) as client:
        answer = client.post(COLLECTION, json=MINIMAL | {"description": "x" * size})
        assert client.post(COLLECTION, json=MINIMAL | {"description": "x" * 900_000}).is_success
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/json"
    assert (answer.json()["code"], answer.json()["@type"]) == ("bodyTooLarge", "Error")


def test_a_server_that_is_away_is_an_error_that_says_when_to_come_again(tmp_path: Path) -> None:
    with nginx(free_port(), tmp_path) as url:
        answer = httpx.get(f"{url}{COLLECTION}", trust_env=False)
    assert answer.status_code == 503
    assert json.loads(answer.text)["status"] == "503"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["retry-after"] == "1"


def test_nginx_closes_idle_connections_before_the_server_does() -> None:
    upstream = re.search(r"upstream servers \{(.*?)\n  \}", CONFIGURATION, re.DOTALL)
    assert upstream
    found = re.search(r"keepalive_timeout (\d+)s;", upstream[1])
    assert found
    default = Settings.model_fields["keep_alive"].default
    assert int(found[1]) < default
