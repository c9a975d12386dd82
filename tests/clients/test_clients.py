"""HTTP clients of several languages run one scenario, directly and through nginx."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.relay import counting_relay
from tests.deploy.test_nginx import nginx
from tests.http.conftest import MINIMAL
from tests.npm import install
from tests.server import Server, running_server

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent
AXIOS = "axios@1.21.1"
EXPECTED = [
    ("create", 201, "the party"),
    ("list", 200, "contains the created resource"),
    ("filter", 200, "only the created resource"),
    ("patch", 200, "first"),
    ("stale patch", 412, "Error"),
    ("too large", 413, "bodyTooLarge"),
    ("reuse", 200, "contains the created resource"),
    ("reuse", 200, "contains the created resource"),
]
"""Step, status, and what the body was found to be."""


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _jdk() -> list[str]:
    java, _ = _program("java"), _program("javac")  # a source file is compiled by java itself
    return [java, str(FOLDER / "JdkClient.java")]


def _go() -> list[str]:
    return [_program("go"), "run", str(FOLDER / "client.go")]


def _curl() -> list[str]:
    _program("curl")
    return ["sh", str(FOLDER / "curl.sh")]


def _fetch() -> list[str]:
    return [_program("node"), str(FOLDER / "fetch.mjs")]


def _axios() -> list[str]:
    node, npm = _program("node"), _program("npm")
    folder = _axios_folder()
    if not (folder / "node_modules/axios").exists():
        install(npm, folder, AXIOS)
    return [node, str(FOLDER / "axios.cjs")]


def _axios_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tmf683-tests" / AXIOS


def _python(library: str) -> list[str]:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    return [sys.executable, str(FOLDER / "python_client.py"), library]


CLIENTS: dict[str, Callable[[], list[str]]] = {
    "jdk": _jdk,
    "fetch": _fetch,
    "axios": _axios,
    "httpx": lambda: _python("httpx"),
    "requests": lambda: _python("requests"),
    "go": _go,
    "curl": _curl,
}
"""The command of each client, which skips the test where the client is not installed."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that trusts nginx's forwarded headers, as behind `deploy/nginx.conf`."""
    with running_server(env={"TMF_TRUST_FORWARDED": "true"}) as running:
        yield running


@pytest.fixture(scope="module")
def proxied(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of nginx before the server; skipped where nginx is not installed."""
    with nginx(httpx.URL(server.url).port or 0, tmp_path_factory.mktemp("nginx")) as url:
        yield url


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_runs_the_scenario_directly(client: str, server: Server) -> None:
    _run(client, server, server.url)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_runs_the_scenario_through_nginx(
    client: str, server: Server, proxied: str
) -> None:
    _run(client, server, proxied)


def _run(client: str, server: Server, origin: str) -> None:
    """Run a client against `origin`, and compare what it received with the expected table."""
    command = CLIENTS[client]()
    path = server.base_url.removeprefix(server.url) + "/partyInteraction"
    party = uuid.uuid4().hex
    related = {"id": party, "role": "customer", "@referredType": "Individual"}
    document = json.dumps(MINIMAL | {"relatedParty": [related]})
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    environment |= {"NODE_PATH": str(_axios_folder() / "node_modules"), "GOPROXY": "off"}
    environment |= {"GOTOOLCHAIN": "local", "GO111MODULE": "off"}
    with counting_relay(httpx.URL(origin).port or 0) as relay:
        counted = f"http://127.0.0.1:{relay.port}{path}"
        done = subprocess.run(
            [*command, origin + path, counted, party, document],
            capture_output=True, text=True, env=environment, timeout=300, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    bodies = [json.loads(base64.b64decode(line["body"])) for line in lines]
    created = bodies[0]["id"]
    rows = [
        (line["step"], line["status"], _outcome(line["step"], body, created, party))
        for line, body in zip(lines, bodies, strict=True)
    ]
    assert rows == EXPECTED
    assert bodies[0]["href"] == f"{origin}{path}/{created}"
    assert relay.connections == 1


def _outcome(step: str, body: Any, created: str, party: str) -> str:
    """Say what a step's body is, in the words of the expected table where it is as expected."""
    if step == "create":
        ids = [each["id"] for each in body["relatedParty"]]
        return "the party" if ids == [party] else f"parties {ids}"
    if step in ("list", "reuse", "filter"):
        ids = [each["id"] for each in body]
        if step == "filter":
            return "only the created resource" if ids == [created] else f"resources {ids}"
        return "contains the created resource" if created in ids else f"resources {ids}"
    if step == "patch":
        return str(body["description"])
    return str(body["code"] if step == "too large" else body["@type"])
