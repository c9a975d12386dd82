"""The last release and this one work on one store at the same time, and one step back works too.

Clients go on while servers come and go, as behind a load balancer: a server gets no new requests
before it is told to stop. Each event is counted by its id.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from storage.sqlite.schema import MIGRATIONS
from tests.http.conftest import MINIMAL
from tests.package.last_release import last_commit, unpack
from tests.server import clean_environment, eventually, free_port

pytestmark = [pytest.mark.slow, pytest.mark.crash]

CLIENTS = 3
SECONDS = 2.5
"""How long each mixture of servers is under load."""
V4, V5 = "/tmf-api/partyInteraction/v4", "/tmf-api/partyInteraction/v5"
SETTINGS = {
    "TMF_CALLBACK_ALLOW": "127.0.0.0/8",
    "TMF_DURABILITY": "normal",
    "TMF_BUSY_SECONDS": "30",
    "TMF_REQUEST_SECONDS": "60",
    "TMF_CURSOR_KEY": "shared",
    "TMF_ACCESS_LOG": "false",
}
NEW = [str(Path(sys.executable).with_name("tmf683"))]
OLD = [sys.executable, "-P", "-m", "app.cli"]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the last release."""
    commit = last_commit()
    if commit is None:
        pytest.skip("no git history that has the last release")
    folder = tmp_path_factory.mktemp("last-release")
    unpack(commit, folder)
    return folder


@dataclass
class Fleet:
    """The servers that clients use, and what came of their requests."""

    store: str
    folder: Path
    old: Path
    urls: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def server(self, release: str) -> Iterator[str]:
        """Run a server of the `old` or the `new` release, and let clients use it."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment = SETTINGS | ({"PYTHONPATH": str(self.old)} if release == "old" else {})
        command = OLD if release == "old" else NEW
        log_file = self.folder / f"{release}-{port}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [*command, "serve", "--port", str(port), "--workers", "1", "--store", self.store],
                cwd=self.folder,
                env=clean_environment(environment),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            assert eventually(lambda: is_ready(url), 120), log_file.read_text()
            self.urls.append(url)
            yield url
        finally:
            if url in self.urls:
                self.urls.remove(url)
            time.sleep(0.5)  # requests that are on their way
            process.terminate()
            assert process.wait(60) == 0, log_file.read_text()

    def visit(self, seed: int, stop: threading.Event) -> None:
        """Create, change, read, list and delete through any server, until told to stop."""
        random_source = random.Random(seed)
        with httpx.Client(trust_env=False, timeout=90) as client:
            while not stop.is_set():
                created = self.ask(client, random_source, "POST", "", 201, MINIMAL)
                if created is None:
                    continue
                one = f"/{created['id']}"
                changed = {"description": f"by {seed}"}
                self.ask(client, random_source, "PATCH", one, 200, changed, version=V4)
                read = self.ask(client, random_source, "GET", one, 200)
                if read is not None and read.get("description") != changed["description"]:
                    self.failures.append(f"a change of {created['id']} is not read")
                self.ask(client, random_source, "GET", "?limit=5&sort=-creationDate", 200)
                if random_source.random() < 0.5:
                    self.ask(client, random_source, "DELETE", one, 204, id=created["id"])

    def ask(
        self,
        client: httpx.Client,
        random_source: random.Random,
        method: str,
        path: str,
        wanted: int,
        body: dict[str, object] | None = None,
        *,
        version: str = "",
        id: str = "",
    ) -> dict[str, str] | None:
        version = version or (V4 if method == "POST" else random_source.choice([V4, V5]))
        url = f"{random_source.choice(self.urls)}{version}/partyInteraction{path}"
        try:
            answer = client.request(method, url, json=body)
        except httpx.TransportError as error:
            self.failures.append(f"{method} {url}: {error!r}")
            return None
        with self.lock:
            self.answers[f"{method} {answer.status_code}"] += 1
        if answer.status_code != wanted:
            self.failures.append(f"{method} {url}: {answer.status_code} {answer.text}")
            return None
        content: dict[str, str] = answer.json() if answer.content and method != "DELETE" else {}
        kind = {"POST": "Create", "PATCH": "AttributeValueChange", "DELETE": "Delete"}.get(method)
        if kind:
            with self.lock:
                self.changes[(kind, id or content["id"])] += 1
        return content


@contextmanager
def listener() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Listen for events; give the URL and what arrives."""
    received: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/events", received
    server.shutdown()
    server.server_close()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def told_of(event: dict[str, object]) -> tuple[str, str]:
    """Return the change and the resource that an event is about."""
    found = re.fullmatch(r"PartyInteraction(.*)Event", str(event["eventType"]))
    assert found, event
    (id,) = set(re.findall(r'"partyInteraction": {"id": "([^"]+)"', json.dumps(event)))
    return found[1], id


@pytest.fixture(params=["sqlite", "mongo"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of the store that both releases use."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shared.db"
    return f"{request.getfixturevalue('mongo')}upgrade{uuid.uuid4().hex[:8]}"


def test_an_upgrade_and_one_step_back_lose_nothing(
    store: str, old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet(store, tmp_path, old)
    stop = threading.Event()
    clients = [threading.Thread(target=fleet.visit, args=(n, stop)) for n in range(CLIENTS)]
    with listener() as (callback, received):
        with fleet.server("old") as url:
            answer = httpx.post(f"{url}{V4}/hub", json={"callback": callback}, trust_env=False)
            assert answer.status_code == 201
            for client in clients:
                client.start()
            time.sleep(SECONDS)
            upgraded = fleet.server("new")
            upgraded.__enter__()
            time.sleep(SECONDS)
        time.sleep(SECONDS)  # the new release alone
        with fleet.server("old"):  # one step back
            time.sleep(SECONDS)
            upgraded.__exit__(None, None, None)
            time.sleep(SECONDS)
            stop.set()
            for client in clients:
                client.join()
            wanted = sum(fleet.changes.values())
            eventually(lambda: len({each["eventId"] for each in received}) >= wanted, 120)
            time.sleep(1.0)  # for what would be delivered twice
    by_id = Counter(str(each["eventId"]) for each in received)
    told = Counter(
        told_of(each) for each in {str(each["eventId"]): each for each in received}.values()
    )
    doubled = {id: count for id, count in by_id.items() if count > 1}
    with capsys.disabled():
        print(
            f"\n{store.partition(':')[0]}: {sum(fleet.answers.values())} requests"
            f" ({dict(fleet.answers)}),"
            f" {len(fleet.failures)} failed; {len(by_id)} events,"
            f" {len(fleet.changes - told)} lost, {len(doubled)} doubled"
        )
    assert fleet.failures == []
    assert fleet.changes == told
    assert doubled == {}


def test_migrations_are_only_appended_to(old: Path) -> None:
    program = (
        "import json; from storage.sqlite.schema import MIGRATIONS; print(json.dumps(MIGRATIONS))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=clean_environment({"PYTHONPATH": str(old)}),
        capture_output=True,
        text=True,
        check=True,
    )
    before = json.loads(done.stdout)
    assert list(MIGRATIONS[: len(before)]) == before
