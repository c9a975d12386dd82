"""The wheel: the same bytes whoever builds it, installed by pip alone, known in every part."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.package.release import (
    ROOT,
    Audit,
    ReleaseError,
    Unavailable,
    audit,
    bill_of_materials,
    build_wheel,
    install,
    installed,
    main,
    tell,
    tools,
)
from tests.server import clean_environment, eventually

pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = (*PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],)
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_from_a_copy(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Python of an environment into which pip has installed the wheel."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    try:
        yield install(wheel, folder)
    except ReleaseError as error:
        if re.search("No matching distribution|NewConnectionError|ConnectTimeout", str(error)):
            pytest.skip("pip reaches no package index")
        raise


def built_from_a_copy(folder: Path) -> Path:
    """Build the wheel from a copy of the sources, whose files are as new as the copy."""
    source, out = folder / "source", folder / "out"
    source.mkdir()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    documents = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for name in dict.fromkeys((*SOURCES, "pyproject.toml", ".gitignore", *documents)):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(
                ROOT / name, source / name, copy_function=shutil.copyfile, ignore=ignored
            )
        elif not (source / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    try:
        return build_wheel(source, out, epoch=EPOCH)
    except ReleaseError as error:
        if "hatchling" in str(error) and "No matching distribution" in str(error):
            pytest.skip("pip reaches no package index for hatchling")
        raise


def test_two_builds_have_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    again = built_from_a_copy(tmp_path)
    assert again.name == wheel.name
    digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in (wheel, again)]
    assert digests[0] == digests[1]
    with zipfile.ZipFile(wheel) as archive:
        assert {each.date_time for each in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_the_wheel_has_what_the_server_needs_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*SOURCES, next(each for each in tops if each.endswith(".dist-info"))}
    shipped = {name for name in names if name.startswith("openapi/")}
    present = {str(each.relative_to(ROOT)) for each in (ROOT / "openapi").rglob("*.yaml")}
    assert present <= shipped
    assert "tmf683/py.typed" in names


def test_what_pip_installed_serves(python: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [str(python.with_name("tmf683")), "serve", "--store", "memory:", "--port", "0"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--ready-file", str(ready)],
            cwd=tmp_path,
            env=clean_environment(),
            stdout=log,
            stderr=log,
        )
        try:
            assert eventually(ready.exists, 120), (tmp_path / "log").read_text()
            (api, *_) = json.loads(ready.read_text())["apis"]
            answer = httpx.get(f"{api}/partyInteraction", trust_env=False)
            assert (answer.status_code, answer.json()) == (200, [])
        finally:
            server.terminate()
            server.wait(60)
    assert server.returncode == 0


def test_the_bill_of_materials_names_every_requirement(python: Path) -> None:
    try:
        bill = bill_of_materials(python)
    except Unavailable as error:
        pytest.skip(str(error).splitlines()[0])
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "tmf683")
    assert bill["metadata"]["component"]["version"] == PROJECT["project"]["version"]
    components = {canonical(each["name"]): each for each in bill["components"]}
    wanted = {
        canonical(re.split(r"[\[<>=;!~ ]", each)[0]) for each in PROJECT["project"]["dependencies"]
    }
    assert wanted <= components.keys()
    assert all(components[name]["purl"].startswith("pkg:pypi/") for name in wanted)
    assert all(components[name]["version"] for name in wanted)


def test_no_requirement_has_a_known_vulnerability(python: Path) -> None:
    try:
        found = audit(installed(python))
    except Unavailable as error:
        pytest.skip(str(error).splitlines()[0])
    assert found.vulnerable == {}
    assert found.unknown == []


VULNERABLE = {
    "vulns": [
        {"schema_version": "1.4.0", "id": "OSV-1", "summary": "x", "affected": [], "aliases": []}
    ]
}


@contextmanager
def osv_server(status: int) -> Iterator[str]:
    """Serve OSV's query API, to which flask 0.1 is vulnerable and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = VULNERABLE if asked["package"]["name"] == "flask" else {}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def auditor() -> None:
    try:
        tools()
    except Unavailable as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.mark.usefixtures("auditor")
def test_an_audit_asks_the_server_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with osv_server(200) as url:
        found = audit("flask==0.1\nclick==8.0.0\n", url)
    assert found == Audit({"flask 0.1": ["OSV-1"]}, [], 2)
    assert tell(found) == 1
    assert "2 packages audited, 1 with known" in capsys.readouterr().out


@pytest.mark.usefixtures("auditor")
def test_an_audit_without_an_answer_says_so() -> None:
    with osv_server(503) as url, pytest.raises(Unavailable):
        audit("flask==0.1\n", url)


def test_an_audit_that_reaches_no_index_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_answer(pins: str, *options: str) -> Audit:
        if "osv" in options:
            raise Unavailable("the name cannot be resolved")
        return Audit({}, ["flask"], 0)

    monkeypatch.setattr("tests.package.release._audit", no_answer)
    monkeypatch.setattr("tests.package.release.build_wheel", lambda *_: tmp_path)
    monkeypatch.setattr("tests.package.release.install", lambda *_: tmp_path)
    monkeypatch.setattr("tests.package.release.installed", lambda _: "flask==0.1")
    assert main("audit") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("make audit: no index of vulnerabilities answers (pypi: none of 1")
    assert "make audit OSV_URL=" in line


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
