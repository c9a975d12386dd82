"""The server as a process: settings that move it, stops, kills, stores that go away."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


def test_a_request_in_flight_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    with running_server(OURS, store=f"sqlite:///{file}", env={"TMF_BUSY_SECONDS": "20"}) as server:
        holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        with client_of(server) as client, ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(client.post, "/partyInteraction", json=MINIMAL)
            time.sleep(0.5)
            server.process.terminate()
            time.sleep(0.5)
            assert not waiting.done()
            holder.execute("ROLLBACK")
            assert waiting.result(20).status_code == 201
        assert server.process.wait(20) == 0


@pytest.mark.parametrize("group", [False, True], ids=["to the server", "to all its processes"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGQUIT", "SIGTERM"])
def test_the_server_ends_at_once_and_in_peace(tmp_path: Path, name: str, group: bool) -> None:
    with running_server(OURS, store=f"sqlite:///{tmp_path}/s.db", workers=2) as server:
        tell = os.killpg if group else os.kill
        tell(server.process.pid, signal.Signals[name])
        assert server.process.wait(15) == 0
        assert "was sent" not in server.log()
        assert "Traceback" not in server.log()


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


def hammer(
    server: Server, seconds: float, disturb: Callable[[], None]
) -> tuple[set[str], list[int]]:
    """Create from several threads while something happens; return acknowledged ids and statuses."""
    end = time.monotonic() + seconds
    acknowledged: set[str] = set()
    statuses: list[int] = []

    def write() -> None:
        while time.monotonic() < end:
            try:
                with client_of(server) as client:
                    while time.monotonic() < end:
                        answer = client.post("/partyInteraction", json=MINIMAL)
                        statuses.append(answer.status_code)
                        if answer.status_code == 201:
                            acknowledged.add(answer.json()["id"])
            except httpx.TransportError:
                statuses.append(0)
                time.sleep(0.05)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    disturb()
    for thread in threads:
        thread.join()
    return acknowledged, statuses


def test_a_killed_worker_is_replaced_and_loses_nothing(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    with running_server(OURS, store=store, workers=2) as server:

        def kill_workers() -> None:
            for _ in range(2):
                time.sleep(0.8)
                children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
                os.kill(int(children.read_text().split()[0]), signal.SIGKILL)

        acknowledged, statuses = hammer(server, 3, kill_workers)
        assert len(acknowledged) > 50
        assert set(statuses) <= {0, 201}
        with client_of(server) as client:
            for id in acknowledged:
                assert client.get(f"/partyInteraction/{id}").status_code == 200


@pytest.mark.slow
def test_a_database_that_hangs_is_a_503_in_bounded_time() -> None:
    environment = {"TMF_BUSY_SECONDS": "0.5", "TMF_QUERY_SECONDS": "1"}
    with (
        own_mongo_server() as mongo,
        running_server(OURS, store=f"{mongo.url}x", env=environment) as server,
        client_of(server) as client,
    ):
        create(client)
        assert mongo.process is not None
        mongo.process.send_signal(signal.SIGSTOP)
        try:
            for method in ("GET", "POST"):
                begin = time.monotonic()
                body = MINIMAL if method == "POST" else None
                answer = client.request(method, "/partyInteraction", json=body)
                assert error_of(answer, 503)["code"] == "storeUnavailable"
                assert answer.headers["retry-after"]
                assert time.monotonic() - begin < 10
        finally:
            mongo.process.send_signal(signal.SIGCONT)
        assert eventually(lambda: client.get("/partyInteraction").status_code == 200)


@pytest.mark.slow
def test_a_database_that_dies_and_returns_loses_nothing() -> None:
    with own_mongo_server() as mongo:
        environment = {"TMF_BUSY_SECONDS": "1"}
        with running_server(OURS, store=f"{mongo.url}x", env=environment) as server:
            pid = server.process.pid

            def interrupt() -> None:
                time.sleep(1.5)
                mongo.kill()
                time.sleep(1)
                with client_of(server) as client:
                    begin = time.monotonic()
                    answer = client.get("/partyInteraction")
                    assert time.monotonic() - begin < 5, "the answer comes within a bounded time"
                    assert error_of(answer, 503)["code"] == "storeUnavailable"
                    assert "retry-after" in answer.headers
                    assert client.get(f"{server.url}/health/ready").status_code == 503
                    assert client.get(f"{server.url}/health/live").status_code == 200
                mongo.start()

            acknowledged, statuses = hammer(server, 6, interrupt)
            assert statuses.count(503) > 0
            assert set(statuses) <= {201, 503}
            assert statuses[-1] == 201, "the server has recovered alone"
            with client_of(server) as client:
                assert client.get(f"{server.url}/health/ready").status_code == 200
                lost = [
                    id
                    for id in acknowledged
                    if client.get(f"/partyInteraction/{id}").status_code != 200
                ]
            assert not lost
            assert len(acknowledged) > 20
            assert server.process.pid == pid
            assert server.process.poll() is None
