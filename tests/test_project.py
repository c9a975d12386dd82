"""The files that describe the project agree with each other."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import requires, version
from itertools import chain
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_chart_and_the_component_have_the_version_of_the_project() -> None:
    chart = yaml.safe_load((ROOT / "deploy/helm/Chart.yaml").read_text())
    component = yaml.safe_load((ROOT / "deploy/oda/component.yaml").read_text())
    found = {
        "chart": chart["version"],
        "appVersion": chart["appVersion"],
        "component": component["spec"]["componentMetadata"]["version"],
        "label": component["metadata"]["labels"]["app.kubernetes.io/version"],
        "installed": version("tmf683"),
    }
    assert found == dict.fromkeys(found, PROJECT["version"])


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    titles = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert titles[0] == PROJECT["version"]


@pytest.mark.parametrize("file", ["Dockerfile", "compose.yaml", "README.md"])
def test_no_other_file_has_a_version_of_its_own(file: str) -> None:
    text = (ROOT / file).read_text()
    assert not re.search(r"tmf683[:=@ -]v?\d+\.\d+", text)
    assert "image.version" not in text


REQUIREMENTS = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_requirement_is_bounded_on_both_sides(requirement: str) -> None:
    if requirement != "tmf683[tracing]":
        assert re.match(r"[\w-]+(\[\w+\])?>=[\w.]+,<[\w.]+(; .*)?$", requirement)


def test_what_is_locked_is_what_is_required() -> None:
    locked = {
        line.partition("==")[0]
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line
    }
    names = {re.match(r"[\w-]+", each)[0].lower() for each in requires("tmf683") or ()}  # type: ignore[index]
    assert names - {"tmf683"} <= locked


def test_this_interpreter_is_a_supported_one() -> None:
    supported = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if ":: 3." in each}
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in supported


@pytest.mark.parametrize("package", ["app", "handlers", "storage"])
def test_every_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
