"""The commands of deploy/README.md, run by bash.

Only what needs a cluster, containers or root is replaced, and records how it was called.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from app.settings import Settings
from tests.deploy.tools import ROOT, resources

README = (ROOT / "deploy/README.md").read_text()
RECORDER = 'printf \'%s\\0\' {name} "$@" >> "$CALLS"; printf \'\\n\' >> "$CALLS"'
KNOWN = {f"TMF_{name.upper()}" for name in Settings.model_fields}


def commands_below(heading: str) -> str:
    """Return the commands of the first console block below a heading, as they are pasted."""
    block = re.search(rf"^## {heading}$.*?^```console\n(.*?)^```", README, re.M | re.S)
    assert block is not None, heading
    return re.sub(r"^[$#] ", "", block[1], flags=re.MULTILINE)


def run(script: str, folder: Path, *replaced: str) -> list[list[str]]:
    """Run a script in the project's folder; return how the commands in `replaced` were called."""
    if shutil.which("bash") is None or shutil.which("openssl") is None:
        pytest.skip("bash and openssl run the commands of deploy/README.md")
    calls = folder / "calls"
    calls.touch()
    functions = "\n".join(f"{name}() {{ {RECORDER.format(name=name)}; }}" for name in replaced)
    whole = f"CALLS={shlex.quote(str(calls))}\n{functions}\n{script}"
    command = ["bash", "-euo", "pipefail", "-c", whole]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("\0")[:-1] for line in calls.read_text().splitlines()]


def test_the_chart_is_installed_with_the_secrets_that_were_made(tmp_path: Path) -> None:
    calls = run(commands_below("Kubernetes"), tmp_path, "kubectl", "helm")
    made: dict[str, dict[str, str]] = {}
    for call in calls[:2]:
        assert call[:4] == ["kubectl", "create", "secret", "generic"]
        literals = [each.partition("=")[2] for each in call[5:]]
        assert all(each.startswith("--from-literal=") for each in call[5:])
        made[call[4]] = dict(each.split("=", 1) for each in literals)
    assert {name for each in made.values() for name in each} <= KNOWN
    store = made["tmf683-store"]
    assert store["TMF_STORE"].startswith("mongodb://")
    assert re.fullmatch("[0-9a-f]{64}", store["TMF_CURSOR_KEY"])
    assert re.fullmatch("whsec_[A-Za-z0-9+/]{43}=", made["tmf683-keys"]["TMF_WEBHOOK_KEYS"])
    install, test = calls[2:]
    assert install[:4] == ["helm", "install", "prod", "deploy/helm"]
    assert test == ["helm", "test", "prod"]
    assert set(install[4::2]) == {"--set"}
    used = {
        source["secretRef"]["name"]
        for each in resources(*install[5::2])
        if each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
        for source in container.get("envFrom", [])
        if "secretRef" in source
    }
    assert used == made.keys()


def test_a_listener_joins_the_network_of_compose_and_registers(tmp_path: Path) -> None:
    listener, register = run(commands_below("Compose"), tmp_path, "docker", "curl")
    project = yaml.safe_load((ROOT / "compose.yaml").read_text())
    network = listener[listener.index("--network") + 1]
    assert network in {f"{project['name']}_{name}" for name in project["networks"]}
    callback = json.loads(register[register.index("-d") + 1])["callback"]
    assert callback.startswith(f"http://{listener[listener.index('--name') + 1]}:")


def test_the_files_of_bare_metal_are_where_the_units_read_them(tmp_path: Path) -> None:
    for folder in ("etc/systemd/system", "etc/nginx", "opt/tmf683/bin"):
        (tmp_path / folder).mkdir(parents=True)
    pip = tmp_path / "opt/tmf683/bin/pip"
    pip.write_text("#!/bin/sh\nexit 0\n")
    pip.chmod(0o755)
    told = commands_below("systemd and nginx")
    script = re.sub(r"(?<![\w.])/(etc|opt)/", rf"{tmp_path}/\1/", told)
    calls = run(script, tmp_path, "systemctl", "systemd-sysusers", "python3")
    assert ["systemctl", "enable", "--now", "tmf683", "tmf683-deliver"] in calls
    environment = tmp_path / "etc/tmf683/tmf683.env"
    assert environment.stat().st_mode & 0o777 == 0o600
    stated = dict(re.findall(r"^(TMF_\w+)=(.*)$", environment.read_text(), re.MULTILINE))
    assert stated.keys() <= KNOWN
    assert re.fullmatch("[0-9a-f]{64}", stated["TMF_CURSOR_KEY"])
    for name in ("tmf683.service", "tmf683-deliver.service"):
        unit = (tmp_path / "etc/systemd/system" / name).read_text()
        assert "EnvironmentFile=/etc/tmf683/tmf683.env" in unit
        assert "ExecStart=/opt/tmf683/bin/tmf683" in unit
    assert (tmp_path / "etc/sysusers.d/tmf683.conf").is_file()
    assert "server 127.0.0.1:8000" in (tmp_path / "etc/nginx/nginx.conf").read_text()
