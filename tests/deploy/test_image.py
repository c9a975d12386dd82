"""The image and the compose file, checked by their own parsers, and the image's steps replayed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.events.outbound.callback_policy import BadCallback
from app.events.outbound.processes import callback_policy
from app.settings import Settings
from tests.deploy.tools import ROOT, tool
from tests.http.conftest import MINIMAL
from tests.server import free_port

pytestmark = pytest.mark.timeout(900)  # the first use of a tool builds it


@pytest.mark.slow
def test_the_dockerfile_has_nothing_its_linter_warns_of() -> None:
    done = tool("dockerfile", "Dockerfile")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return the compose file as its loader reads it, with nothing set in the environment."""
    done = tool("compose", "compose.yaml")
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def test_the_compose_file_needs_nothing_to_be_set(project: dict[str, Any]) -> None:
    known = {f"TMF_{name.upper()}" for name in Settings.model_fields}
    for name in ("server", "deliver"):
        service = project["services"][name]
        assert service["environment"].keys() <= known
        assert "TMF_CURSOR_KEY" not in service["environment"]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    assert project["services"]["server"]["deploy"]["replicas"] == 2
    for service in project["services"].values():  # published on this machine alone
        assert all(port.get("host_ip") == "127.0.0.1" for port in service.get("ports", []))
    bound = [
        volume["source"]
        for service in project["services"].values()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    ]
    assert len(bound) == 3
    assert all(Path(source).is_file() for source in bound)
    rules = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())["rule_files"]
    mounted = {volume["target"] for volume in project["services"]["prometheus"]["volumes"]}
    assert set(rules) <= mounted


def test_compose_starts_each_service_once_what_it_needs_is_there(project: dict[str, Any]) -> None:
    for name in ("server", "deliver"):
        needs = project["services"][name]["depends_on"]
        conditions = {service: each["condition"] for service, each in needs.items()}
        assert conditions == {
            "mongodb": "service_healthy", "secrets": "service_completed_successfully",
        }  # fmt: skip
    proxy = project["services"]["proxy"]["depends_on"]
    assert proxy["server"]["condition"] == "service_healthy"
    assert "/health/ready" in project["services"]["server"]["healthcheck"]["test"][-1]


def shell(service: dict[str, Any], folder: Path, target: str) -> list[str]:
    """Return a service's entrypoint with the volume of secrets at a folder."""
    (mounted,) = [each for each in service["volumes"] if each.get("source") == "secrets"]
    assert mounted["target"] == target
    return [part.replace(target, str(folder)) for part in service["entrypoint"]]


def test_compose_makes_the_key_once_and_servers_read_it(
    project: dict[str, Any], tmp_path: Path
) -> None:
    volume, binaries = tmp_path / "volume", tmp_path / "bin"
    volume.mkdir()
    binaries.mkdir()
    services = project["services"]
    make = shell(services["secrets"], volume, "/data")
    path = f"{binaries}:{Path(sys.executable).parent}:/usr/bin:/bin"
    keys = []
    for _ in range(2):  # `docker compose up` twice
        subprocess.run(make, check=True, env={"PATH": path})
        keys.append((volume / "TMF_CURSOR_KEY").read_text().strip())
    assert keys[0] == keys[1]
    assert len(keys[0]) == 64
    assert (volume / "TMF_CURSOR_KEY").stat().st_mode & 0o777 == 0o600
    (volume / "TMF_WEBHOOK_KEYS").write_text("whsec_a key, another\n")
    (binaries / "tmf683").write_text('#!/bin/sh\necho "$*"; env\n')
    (binaries / "tmf683").chmod(0o755)
    for name in ("server", "deliver"):
        command = shell(services[name], volume, "/run/secrets/tmf683") + services[name]["command"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={"PATH": path}
        )
        lines = done.stdout.splitlines()
        assert lines[0] == services[name]["command"][0]
        assert f"TMF_CURSOR_KEY={keys[0]}" in lines
        assert "TMF_WEBHOOK_KEYS=whsec_a key, another" in lines


def test_compose_lets_events_go_to_the_listeners_network_and_no_other(
    project: dict[str, Any],
) -> None:
    (ipam,) = project["networks"]["listeners"]["ipam"]["config"]
    subnet = ip_network(ipam["subnet"])
    for name in ("server", "deliver"):  # one checks the address at registration, one sends
        service = project["services"][name]
        assert "listeners" in service["networks"]
        settings = Settings(callback_allow=service["environment"]["TMF_CALLBACK_ALLOW"])
        policy = callback_policy(settings)
        policy.check(f"http://{subnet[9]}:9000/")
        with pytest.raises(BadCallback):
            policy.check(f"http://{subnet.broadcast_address + 9}:9000/")
    assert "listeners" not in project["services"]["mongodb"].get("networks", {})


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
                    (work / target).mkdir(exist_ok=True)
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
    assert (site / "app" / "documentation" / "docs" / "tutorial.md").is_file()
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
