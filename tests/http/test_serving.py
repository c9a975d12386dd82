"""The server as a process: settings that move it, stops, kills, stores that go away."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from tests.app.events.receiver import receiving
from tests.conftest import OURS
from tests.http.conftest import MINIMAL, create, error_of
from tests.mongo.running import own_mongo_server
from tests.server import Server, clean_environment, eventually, running_server


def client_of(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.base_url, trust_env=False, timeout=20)


def test_the_root_leads_to_collections_contract_and_docs(one: httpx.Client) -> None:
    root = str(one.base_url).rstrip("/")
    for url in (f"{root}/", root):
        links = one.get(url).json()["_links"]
        assert set(links) == {"self", "partyInteraction", "openapi", "ui"}
        for link in links.values():
            assert one.get(link["href"]).status_code == 200


def test_the_served_document_is_the_effective_one(one: httpx.Client) -> None:
    document = one.get("/openapi.json").json()
    assert not list(OpenAPIV30SpecValidator(document).iter_errors())
    assert document["servers"] == [{"url": str(one.base_url).rstrip("/")}]
    patch = document["paths"]["/partyInteraction/{id}"]["patch"]["requestBody"]["content"]
    assert "application/json-patch+json" in patch


def test_the_served_document_declares_what_queries_and_changes_take(one: httpx.Client) -> None:
    paths = one.get("/openapi.json").json()["paths"]
    listing, member = paths["/partyInteraction"], paths["/partyInteraction/{id}"]
    for operation, names in (
        (listing["get"], {"fields", "offset", "limit", "sort", "after", "filter"}),
        (listing["post"], {"If-None-Match"}),
        (member["get"], {"If-None-Match"}),
        (member["patch"], {"If-Match"}),
        (member["delete"], {"If-Match"}),
    ):
        assert names <= {each["name"] for each in operation["parameters"]}
    assert {"304"} <= member["get"]["responses"].keys()
    assert {"412", "428"} <= member["patch"]["responses"].keys() & member["delete"][
        "responses"
    ].keys()
    assert {"X-Total-Count", "Link"} <= listing["get"]["responses"]["200"]["headers"].keys()


def test_the_documentation_page_needs_no_other_host(one: httpx.Client) -> None:
    page = one.get("/ui/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "initializer.js", "favicon-32x32.png"):
        assert f"ui/{name}" in page.text
        assert one.get(f"/ui/{name}").status_code == 200
    error_of(one.get("/ui/../../../etc/passwd"), 404)


def test_the_documentation_pages_lead_to_each_other() -> None:
    with running_server(store="memory:") as server:
        for base in server.base_urls:
            page = httpx.get(f"{base}/ui/", trust_env=False)
            for other in server.base_urls:
                assert f'href="{other.removeprefix(server.url)}/ui/"' in page.text


@pytest.mark.slow
def test_everything_moves_under_the_settings() -> None:
    settings = {
        "TMF_ROOT_PATH": "/release",
        "TMF_BASE_PATH": "/custom/v4",
        "TMF_PUBLIC_URL": "https://api.example.com/gateway/",
        "TMF_DEFAULT_LIMIT": "2",
        "TMF_MAX_LIMIT": "3",
        "TMF_REQUIRE_IF_MATCH": "true",
        "TMF_MAX_BODY": "2000",
    }
    with running_server(OURS, env=settings) as server, httpx.Client(trust_env=False) as client:
        for path in ("", "/", "/custom/v4", "/health/live", "/health/ready", "/metrics"):
            assert client.get(f"{server.url}/release{path}").status_code == 200
        metrics = client.get(f"{server.url}/release/metrics").text
        pages = 4  # the three above, and one that `running_server` asked
        counts = re.findall(r'tmf_http_requests_total.*"other".* (.*)', metrics)
        assert counts == [f"{pages}.0"]
        url = f"{server.url}/release/custom/v4/partyInteraction"
        for _ in range(4):
            answer = client.post(url, json=MINIMAL)
        body = answer.json()
        public = "https://api.example.com/gateway/release/custom/v4/partyInteraction"
        assert body["href"] == answer.headers["location"] == f"{public}/{body['id']}"
        assert len(client.get(url).json()) == 2
        assert len(client.get(f"{url}?limit=100").json()) == 3
        assert client.get(url).links["next"]["url"].startswith(public)
        found = client.get(url, params={"href": body["href"]}).json()
        assert [each["id"] for each in found] == [body["id"]]
        here = f"{url}/{body['id']}"
        error_of(client.patch(here, json={"reason": "x"}), 428)
        error_of(client.delete(here), 428)
        tag = client.get(here).headers["etag"]
        assert client.delete(here, headers={"If-Match": tag}).status_code == 204
        error_of(client.post(url, json=MINIMAL | {"description": "x" * 2000}), 413)
        error_of(client.get(f"{server.url}/custom/v4/partyInteraction"), 404)


@pytest.mark.slow
@pytest.mark.parametrize("trusted", [True, False])
def test_forwarded_headers_are_believed_only_when_told(trusted: bool) -> None:
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "api.example.com",
        "X-Forwarded-Prefix": "/gw",
    }
    with (
        running_server(OURS, env={"TMF_TRUST_FORWARDED": str(trusted)}) as server,
        client_of(server) as client,
    ):
        href = client.post("/partyInteraction", json=MINIMAL, headers=headers).json()["href"]
        assert href.startswith("https://api.example.com/gw/tmf-api/") is trusted
        assert href.startswith(server.url) is not trusted


@pytest.mark.slow
def test_several_workers_share_one_file(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    with (
        running_server(OURS, store=store, workers=3) as server,
        client_of(server) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        bodies = list(threads.map(lambda _: create(client, mark="w"), range(60)))
        answer = client.get("/partyInteraction?mark=w&limit=7")
        met = [each["id"] for each in answer.json()]
        while "next" in answer.links:  # any worker reads any worker's cursor
            answer = client.get(answer.links["next"]["url"])
            met += [each["id"] for each in answer.json()]
        assert sorted(met) == sorted(body["id"] for body in bodies)


def is_listening(server: Server) -> bool:
    with socket.socket() as probe:
        url = httpx.URL(server.url)
        return probe.connect_ex((url.host, url.port)) == 0


def test_a_request_in_flight_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    with running_server(OURS, store=f"sqlite:///{file}", env={"TMF_BUSY_SECONDS": "20"}) as server:
        holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        url, body = httpx.URL(server.base_url), json.dumps(MINIMAL).encode()
        head = (
            f"POST {url.path}/partyInteraction HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((url.host, url.port or 80), timeout=60) as connection:
            connection.sendall(head.encode())
            assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n", "it has begun"
            connection.sendall(body)
            server.process.terminate()
            assert eventually(lambda: not is_listening(server))
            holder.execute("ROLLBACK")
            assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")
        assert server.process.wait(60) == 0


@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True], ids=["to the server", "to all its processes"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGQUIT", "SIGTERM"])
def test_the_server_ends_at_once_and_in_peace(tmp_path: Path, name: str, group: bool) -> None:
    with running_server(OURS, store=f"sqlite:///{tmp_path}/s.db", workers=2) as server:
        tell = os.killpg if group else os.kill
        tell(server.process.pid, signal.Signals[name])
        assert server.process.wait(60) == 0
        assert "was sent" not in server.log()
        assert "Traceback" not in server.log()


@pytest.mark.slow
def test_a_port_of_its_own_choice_is_told(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("tmf683")), "serve", "--port", "0"]
    command += ["--store", f"sqlite:///{tmp_path}/s.db", "--workers", "1"]
    env = clean_environment()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            told = next(line for line in server.stdout if line.startswith("Health"))
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
                assert client.get(told.split()[1]).status_code == 200
        finally:
            server.terminate()


@pytest.mark.slow
def test_an_app_in_the_working_directory_is_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app.py").write_text("raise SystemExit('another app')")
    monkeypatch.chdir(tmp_path)
    env = {"TMF_CALLBACK_ALLOW": "127.0.0.1"}
    with receiving() as receiver, running_server(OURS, env=env) as server:
        with client_of(server) as client:
            client.post("/hub", json={"callback": receiver.url("/here")}).raise_for_status()
            create(client)
        assert receiver.wait(lambda: len(receiver.of("/here")) == 1)
        assert "another app" not in server.log()


def test_a_held_store_is_a_503_until_it_is_free(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    environment = {"TMF_BUSY_SECONDS": "0.3"}
    with (
        running_server(OURS, store=f"sqlite:///{file}", env=environment) as server,
        client_of(server) as client,
    ):
        create(client)
        with sqlite3.connect(file, isolation_level=None) as holder:
            holder.execute("BEGIN IMMEDIATE")
            answer = client.post("/partyInteraction", json=MINIMAL)
            assert error_of(answer, 503)["code"] == "storeUnavailable"
            assert answer.headers["retry-after"] == "1"
            assert str(file) not in answer.text
            assert len(client.get("/partyInteraction").json()) == 1, "readers do not wait"
            holder.execute("ROLLBACK")
        create(client)
        assert str(file) in server.log(), "the operator is told which file"


@pytest.mark.slow
def test_a_query_that_takes_too_long_is_stopped() -> None:
    environment = {"TMF_QUERY_SECONDS": "0.000001", "TMF_STORE": "memory:"}
    with (
        running_server(OURS, store="memory:", env=environment) as server,
        client_of(server) as client,
    ):
        for _ in range(300):
            create(client)
        answer = client.get("/partyInteraction?nope.nope.nope.nope=1&a.b.c=2&x*=y")
        assert error_of(answer, 503)["code"] == "queryTooSlow"


@dataclass
class Writers:
    """Threads that create interactions until the block ends: acknowledged ids, and statuses.

    The status 0 stands for a connection that failed.
    """

    server: Server
    acknowledged: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Writers:
        self.threads = [threading.Thread(target=self._write) for _ in range(4)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def wait_for_more(self, number: int = 20) -> None:
        """Wait until so many more creations are acknowledged."""
        wanted = len(self.acknowledged) + number
        assert eventually(lambda: len(self.acknowledged) >= wanted)

    def _write(self) -> None:
        while not self.stopping.is_set():
            try:
                with client_of(self.server) as client:
                    while not self.stopping.is_set():
                        answer = client.post("/partyInteraction", json=MINIMAL)
                        self.statuses.append(answer.status_code)
                        if answer.status_code == 201:
                            self.acknowledged.add(answer.json()["id"])
            except httpx.TransportError:
                self.statuses.append(0)
                self.stopping.wait(0.05)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_loses_nothing(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    with running_server(OURS, store=store, workers=2) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        with Writers(server) as writers:
            for _ in range(2):
                writers.wait_for_more()
                os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
            writers.wait_for_more()
        assert set(writers.statuses) <= {0, 201}
        with client_of(server) as client:
            for id in writers.acknowledged:
                assert client.get(f"/partyInteraction/{id}").status_code == 200


@pytest.mark.mongo
def test_a_database_that_hangs_is_a_503() -> None:
    """While it hangs: the client's timeout, half a minute, is the bound."""
    environment = {"TMF_BUSY_SECONDS": "0.5", "TMF_QUERY_SECONDS": "1"}
    with (
        own_mongo_server() as mongo,
        running_server(OURS, store=f"{mongo.url}x", env=environment) as server,
        client_of(server) as client,
    ):
        create(client)
        assert mongo.process is not None
        mongo.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, mongo.process.pid, os.WSTOPPED | os.WNOWAIT)  # all of its threads
        try:
            for method in ("GET", "POST"):
                body = MINIMAL if method == "POST" else None
                answer = client.request(method, "/partyInteraction", json=body)
                assert error_of(answer, 503)["code"] == "storeUnavailable"
                assert answer.headers["retry-after"]
        finally:
            mongo.process.send_signal(signal.SIGCONT)
        assert eventually(lambda: client.get("/partyInteraction").status_code == 200)


@pytest.mark.mongo
def test_a_database_that_dies_and_returns_loses_nothing() -> None:
    with own_mongo_server() as mongo:
        environment = {"TMF_BUSY_SECONDS": "1"}
        with running_server(OURS, store=f"{mongo.url}x", env=environment) as server:
            pid = server.process.pid
            with Writers(server) as writers:
                writers.wait_for_more()
                mongo.kill()
                assert eventually(lambda: 503 in writers.statuses)
                with client_of(server) as client:
                    answer = client.get("/partyInteraction")
                    assert error_of(answer, 503)["code"] == "storeUnavailable"
                    assert "retry-after" in answer.headers
                    assert client.get(f"{server.url}/health/ready").status_code == 503
                    assert client.get(f"{server.url}/health/live").status_code == 200
                mongo.start()
                writers.wait_for_more()
            assert set(writers.statuses) <= {201, 503}
            assert writers.statuses[-1] == 201, "the server has recovered alone"
            with client_of(server) as client:
                # A look at the store that takes long is answered from the one before it.
                ready = f"{server.url}/health/ready"
                assert eventually(lambda: client.get(ready).status_code == 200)
                lost = [
                    id
                    for id in writers.acknowledged
                    if client.get(f"/partyInteraction/{id}").status_code != 200
                ]
            assert not lost
            assert server.process.pid == pid
            assert server.process.poll() is None
