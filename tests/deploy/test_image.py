"""The image and the compose file, checked by their own parsers, and the image's steps replayed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.deploy.tools import ROOT, tool
from tests.http.conftest import MINIMAL
from tests.server import free_port

pytestmark = pytest.mark.timeout(900)  # the first use of a tool builds it


@pytest.mark.slow
def test_the_dockerfile_has_nothing_its_linter_warns_of() -> None:
    done = tool("dockerfile", "Dockerfile")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_compose_file_is_one() -> None:
    done = tool("compose", "compose.yaml", "TMF_CURSOR_KEY=secret")
    assert done.returncode == 0, done.stderr
    project = json.loads(done.stdout)
    known = {f"TMF_{name.upper()}" for name in Settings.model_fields}
    for name in ("server", "deliver"):
        service = project["services"][name]
        assert service["environment"].keys() <= known
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    assert project["services"]["server"]["deploy"]["replicas"] == 2
    for service in project["services"].values():  # published on this machine alone
        assert all(port.get("host_ip") == "127.0.0.1" for port in service.get("ports", []))
    for file in ("deploy/nginx.conf", "deploy/prometheus.yml"):
        assert (ROOT / file).is_file()
    missing = tool("compose", "compose.yaml")
    assert "set a secret of your own" in missing.stderr


def instructions(word: str) -> Iterator[str]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith(f"{word} "):
            yield line.removeprefix(f"{word} ").strip()


def test_the_image_has_no_tools_to_build_with_and_is_not_run_as_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    first, last = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    assert "pip uninstall" in first
    assert not re.search(r"\bpip\b|apt-get|gcc", last)
    assert list(instructions("USER")) == ["10001:10001"]
    assert list(instructions("HEALTHCHECK"))


@pytest.mark.slow
def test_the_steps_of_the_image_make_a_server_that_needs_nothing_else(tmp_path: Path) -> None:
    """COPY and RUN of the first stage in a bare directory; what they make is not written to."""
    root, work = tmp_path / "root", tmp_path / "build"
    root.mkdir()
    work.mkdir()
    stage = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1].replace("\\\n", " ")
    for line in stage.splitlines():
        if line.startswith("COPY "):
            *sources, target = line.split()[1:]
            for source in sources:
                if (ROOT / source).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / source, work / target, ignore=ignored)
                else:
                    shutil.copy(ROOT / source, work / target)
        elif line.startswith("RUN "):
            command = line.removeprefix("RUN ").replace("/opt/tmf683", f"{root}/tmf683")
            command = command.replace("python -m venv", f"{sys.executable} -m venv")
            command = command.replace("python -m compileall", f"{sys.executable} -m compileall")
            subprocess.run(command, shell=True, cwd=work, check=True, timeout=200)
    shutil.rmtree(work)
    assert not list(root.glob("tmf683/lib/python*/site-packages/pip"))
    assert not list(root.glob("tmf683/lib/python*/site-packages/tests"))
    run_read_only(root / "tmf683" / "bin", tmp_path)


def run_read_only(binaries: Path, tmp_path: Path) -> None:
    data, temporary, port = tmp_path / "data", tmp_path / "tmp", free_port()
    data.mkdir()
    temporary.mkdir()
    before = {path: path.stat().st_mtime_ns for path in binaries.parent.rglob("*")}
    environment = {
        "PATH": f"{binaries}:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(temporary),
        "TMF_STORE": f"sqlite:///{data}/tmf683.db",
        "TMF_PORT": str(port),
    }
    process = subprocess.Popen([binaries / "tmf683", "serve"], env=environment, cwd=data)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(process, url)
        path = f"{url}/tmf-api/partyInteraction/v4/partyInteraction"
        made = httpx.post(path, json=MINIMAL, trust_env=False).raise_for_status()
        assert httpx.get(made.headers["location"], trust_env=False).status_code == 200
        assert "tmf_http_requests_total" in httpx.get(f"{url}/metrics", trust_env=False).text
    finally:
        process.terminate()
        process.wait(20)
    after = {path: path.stat().st_mtime_ns for path in binaries.parent.rglob("*")}
    assert after == before, "something was written into the image"


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, "the server has stopped"
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("the server is not ready")


@pytest.mark.slow
def test_the_wheel_has_the_contracts_and_nothing_of_the_tests(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*command, "--disable-pip-version-check", str(ROOT)], check=True, timeout=120)
    (wheel,) = tmp_path.glob("tmf683-*.whl")
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    names = {path.name for path in site.iterdir()}
    assert {"app", "handlers", "storage", "openapi"} <= names
    assert not {"tests", "deploy"} & names
    assert list((site / "openapi" / "overlays").glob("*.yaml"))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from app.settings import OPENAPI_FOLDER;"
        "from app.cli import main; assert sys.argv[1] in str(OPENAPI_FOLDER);"
        "main(['check', str(OPENAPI_FOLDER / 'tmf683-v4.0.0.yaml')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(site)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "operations served" in done.stdout, done.stderr
