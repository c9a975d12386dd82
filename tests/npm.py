"""Packages of npm for tests, installed once into a cache outside the project."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def node_folder(*packages: str) -> tuple[str, Path]:
    """Return node and a folder `node_modules` with packages; skip where they cannot be had.

    Each package is a name with its version, `express@5.3.0` for example.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node is not installed")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "tmf683-tests" / "+".join(packages).replace("/", "-")
    if not (folder / "installed").exists():
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install {', '.join(packages)}")
        (folder / "installed").touch()
    return node, folder / "node_modules"
