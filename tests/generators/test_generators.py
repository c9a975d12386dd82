"""Clients that code generators make of the served contracts work against the server.

`make generators` runs these tests. Each client creates, reads, lists with filters, patches with
`If-Match`, deletes, and meets an error of each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.generators.tools import (
    java_libraries,
    node_modules,
    openapi_generator,
    program,
    python_environment,
    run,
)
from tests.server import Server, running_server

pytestmark = [pytest.mark.deploy, pytest.mark.slow]

CLIENTS = Path(__file__).parent / "clients"

V4: dict[str, Any] = {
    "channel": [{"id": "hotline"}],
    "direction": "inbound",
    "relatedParty": [{"id": "42", "role": "customer"}],
}
V5: dict[str, Any] = {
    "@type": "PartyInteraction",
    "status": "opened",
    "direction": "inbound",
    "relatedChannel": [
        {
            "@type": "RelatedChannel",
            "role": "first",
            "channel": {"@type": "ChannelRef", "id": "hotline", "name": "Hotline"},
        }
    ],
    "relatedParty": [
        {
            "@type": "RelatedPartyOrPartyRole",
            "role": "customer",
            "partyOrPartyRole": {"@type": "PartyRef", "id": "42", "name": "Ann Lee"},
        }
    ],
}
CREATES = {"v4": V4, "v5": V5}
PATCHES = {
    "v4": {"description": "changed"},
    "v5": {"@type": "PartyInteraction", "description": "changed"},
}
SCHEMAS = {
    "v4": ("PartyInteraction_Create", "PartyInteraction_Update_MergePatch"),
    "v5": ("PartyInteraction_FVO", "PartyInteraction_MVO_MergePatch"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(store="memory:") as running:
        yield running


@pytest.fixture(params=["v4", "v5"])
def version(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


class Scenario:
    """One version of the API: its document in a file, and a client's program with its names."""

    def __init__(self, server: Server, version: str, folder: Path, tool: str) -> None:
        self.base = server.base_urls[("v4", "v5").index(version)]
        self.document = folder / "openapi.json"
        answer = httpx.get(f"{self.base}/openapi.json", timeout=60, trust_env=False)
        self.document.write_bytes(answer.content)
        self.reason = f"{tool} {version}"
        self.create = json.dumps({**CREATES[version], "reason": self.reason})
        self.patch = json.dumps(PATCHES[version])
        self._version = version

    def program(self, name: str, *, snake: bool = False) -> str:
        """Return the source of a client, with the names that a generator gives to schemas."""
        source = (CLIENTS / name).read_text()
        for word, schema in zip(("CREATE", "PATCH"), SCHEMAS[self._version], strict=True):
            model = schema.replace("_", "")
            camel = model[:1].lower() + model[1:]
            argument = _snake(model) if snake else camel
            for placeholder, value in (
                (f"@{word}_SCHEMA@", schema),
                (f"@{word}_NAME@", argument),
                (f"@{word}@", model),
            ):
                source = source.replace(placeholder, value)
        return source

    def check(self, output: str) -> None:
        """Check what a client printed, a line for each step."""
        assert output.splitlines() == [
            "create 201",
            f"get 200 {self.reason}",
            "list 200 1",
            "patch 200 changed",
            "stale patch 412",
            "delete 204",
            "missing 404",
        ]


def _snake(model: str) -> str:
    words = {"Party": "party", "Interaction": "interaction", "Create": "create", "FVO": "fvo"}
    words |= {"MVO": "mvo", "Update": "update", "Merge": "merge", "Patch": "patch"}
    for word, plain in words.items():
        model = model.replace(word, f"_{plain}")
    return model.strip("_")


def test_openapi_generator_for_java(server: Server, version: str, tmp_path: Path) -> None:
    compiler, java = program("javac"), program("java")
    scenario = Scenario(server, version, tmp_path, "java")
    options = ["-g", "java", "--library", "native", "-o", "java"]
    options += ["--additional-properties", "useSingleRequestParameter=true"]
    run(*openapi_generator(), "-i", scenario.document, *options, cwd=tmp_path)
    sources = tmp_path / "java" / "src" / "main" / "java"
    (sources / "Client.java").write_text(scenario.program("Client.java"))
    jars = java_libraries(tmp_path / "java")
    files = [str(each) for each in sources.rglob("*.java")]
    (tmp_path / "sources").write_text("\n".join(files))
    classpath = f"{jars}/*"
    run(compiler, "-nowarn", "-d", "classes", "-cp", classpath, "@sources", cwd=tmp_path)
    command = [java, "-cp", f"classes:{classpath}", "Client"]
    scenario.check(run(*command, scenario.base, scenario.create, scenario.patch, cwd=tmp_path))


def _compiled(modules: Path, folder: Path, file: str) -> Path:
    """Compile a TypeScript program with all checks, and return the JavaScript."""
    (folder / "node_modules").symlink_to(modules)
    (folder / "package.json").write_text('{"type": "commonjs"}')
    compiler = modules / ".bin" / "tsc"
    options = ["--strict", "--target", "es2022", "--module", "commonjs", "--outDir", "out"]
    options += ["--moduleResolution", "node10", "--lib", "es2022,dom", "--types", "node"]
    run(compiler, *options, file, cwd=folder)
    return folder / "out" / file.replace(".ts", ".js")


def test_openapi_generator_for_typescript(server: Server, version: str, tmp_path: Path) -> None:
    modules = node_modules()
    scenario = Scenario(server, version, tmp_path, "typescript-fetch")
    options = ["-g", "typescript-fetch", "-o", "client"]
    run(*openapi_generator(), "-i", scenario.document, *options, cwd=tmp_path)
    client = tmp_path / "client"
    (client / "scenario.ts").write_text(scenario.program("fetch.ts"))
    script = _compiled(modules, client, "scenario.ts")
    command = [program("node"), script, scenario.base, scenario.create, scenario.patch]
    scenario.check(run(*command, cwd=client))


def test_openapi_generator_for_python(server: Server, version: str, tmp_path: Path) -> None:
    python = python_environment()
    scenario = Scenario(server, version, tmp_path, "python")
    options = ["-g", "python", "-o", "client"]
    run(*openapi_generator(), "-i", scenario.document, *options, cwd=tmp_path)
    script = tmp_path / "client" / "scenario.py"
    script.write_text(scenario.program("openapi_generator.py.in", snake=True))
    command = [python, script, scenario.base, scenario.create, scenario.patch]
    scenario.check(run(*command, cwd=tmp_path / "client"))


def test_openapi_typescript(server: Server, version: str, tmp_path: Path) -> None:
    modules = node_modules()
    scenario = Scenario(server, version, tmp_path, "openapi-typescript")
    run(modules / ".bin" / "openapi-typescript", scenario.document, "-o", "types.ts", cwd=tmp_path)
    (tmp_path / "scenario.ts").write_text(scenario.program("openapi_fetch.ts"))
    script = _compiled(modules, tmp_path, "scenario.ts")
    command = [program("node"), script, scenario.base, scenario.create, scenario.patch]
    scenario.check(run(*command, cwd=tmp_path))


def test_openapi_python_client(server: Server, version: str, tmp_path: Path) -> None:
    python = python_environment()
    scenario = Scenario(server, version, tmp_path, "openapi-python-client")
    options = ["--output-path", "client", "--meta", "none"]
    generator = python.with_name("openapi-python-client")
    run(generator, "generate", "--path", scenario.document, *options, cwd=tmp_path)
    script = tmp_path / "scenario.py"
    script.write_text(scenario.program("openapi_python_client.py.in", snake=True))
    command = [python, script, scenario.base, scenario.create, scenario.patch]
    scenario.check(run(*command, cwd=tmp_path))


def test_openapi_to_postman(server: Server, version: str, tmp_path: Path) -> None:
    modules = node_modules()
    scenario = Scenario(server, version, tmp_path, "postman")
    (tmp_path / "node_modules").symlink_to(modules)
    command = [program("node"), CLIENTS / "postman.cjs", scenario.base]
    command += [scenario.create, scenario.patch, scenario.document]
    scenario.check(run(*command, cwd=tmp_path))
