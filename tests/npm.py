"""Packages of npm for tests, installed once into a cache outside the project."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

_SECONDS = 400


def node_folder(*packages: str) -> tuple[str, Path]:
    """Return node and a folder `node_modules` with packages; skip where they cannot be had.

    Each package is a name with its version, `express@5.3.0` for example.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node is not installed")
    place = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(place) / "tmf683-tests" / "+".join(packages).replace("/", "-")
    if not (folder / "installed").exists():
        install(npm, folder, *packages)
        (folder / "installed").touch()
    return node, folder / "node_modules"


def install(npm: str, folder: Path, *packages: str) -> None:
    """Install packages below a folder, or skip the test; a failure is not tried again."""
    if reason := _failure(npm, folder, *packages):
        pytest.skip(f"npm could not install {', '.join(packages)}: {reason}")


@cache
def _failure(npm: str, folder: Path, *packages: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    options = ("--no-audit", "--no-fund", "--fetch-retries=1", "--prefix", str(folder))
    try:
        done = subprocess.run(
            [npm, "install", *options, *packages],
            capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it took more than {_SECONDS} s"
    return (done.stderr or "no reason given")[-200:] if done.returncode else ""
