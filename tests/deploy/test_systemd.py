"""The systemd units, by systemd's own verification, and their settings."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.settings import Settings
from tests.deploy.tools import ROOT

FOLDER = ROOT / "deploy/systemd"
UNITS = ("tmf683.service", "tmf683-deliver.service")


def lines_of(name: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", (FOLDER / name).read_text(), re.MULTILINE)


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    return found


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_unit(name: str, analyze: str, tmp_path: Path) -> None:
    text = (FOLDER / name).read_text().replace("/opt/tmf683/bin/tmf683", "/bin/true")
    (tmp_path / name).write_text(text)
    command = [analyze, "verify", tmp_path / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert name not in done.stderr  # an unknown key is a warning


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_may_do_little(name: str, analyze: str) -> None:
    help_text = subprocess.run([analyze, "--help"], capture_output=True, text=True, check=True)
    if "--offline" not in help_text.stdout:
        pytest.skip("this systemd-analyze cannot judge a unit that is not loaded")
    command = [analyze, "security", "--offline=yes", "--threshold=20", FOLDER / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_units_differ_in_command_and_management_port() -> None:
    commands = [lines_of(name, "ExecStart") for name in UNITS]
    assert commands == [["/opt/tmf683/bin/tmf683 serve"], ["/opt/tmf683/bin/tmf683 deliver"]]
    ports = [lines_of(name, "Environment") for name in UNITS]
    assert ports == [["TMF_MANAGEMENT_PORT=9090"], ["TMF_MANAGEMENT_PORT=9091"]]
    (seconds,) = lines_of(UNITS[0], "TimeoutStopSec")
    assert int(seconds) > Settings.model_fields["request_seconds"].default


def test_the_settings_of_the_units_are_ones_of_the_server() -> None:
    text = (FOLDER / "tmf683.env").read_text()
    known = {f"TMF_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"TMF_[A-Z_]+(?==)", text)) <= known
    stated = dict(re.findall(r"^TMF_([A-Z_]+)=(.*)$", text, re.MULTILINE))
    settings = Settings(**{name.lower(): value for name, value in stated.items()})
    (state,) = lines_of(UNITS[0], "StateDirectory")
    assert settings.store == f"sqlite:////var/lib/{state}/tmf683.db"
    assert settings.delivery == "off"  # the other unit delivers
    assert settings.trust_forwarded
