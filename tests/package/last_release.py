"""The release before this one, from the repository's history."""

from __future__ import annotations

import io
import subprocess
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def version_of(pyproject: str) -> str:
    """Return the version that a `pyproject.toml` states."""
    return str(tomllib.loads(pyproject)["project"]["version"])


def last_commit() -> str | None:
    """Return the last commit with the version before this one; None where history has none."""
    current = version_of((ROOT / "pyproject.toml").read_text())
    changes = _git("log", "--format=%H", "--", "pyproject.toml")
    newer = None
    for commit in (changes or "").split():
        content = _git("show", f"{commit}:pyproject.toml")
        if content is None:
            return None
        if version_of(content) != current:
            parent = _git("rev-parse", "--verify", "--quiet", f"{newer}^")
            return parent.strip() if newer and parent else commit
        newer = commit
    return None


def unpack(commit: str, folder: Path) -> str:
    """Write the sources of a commit into a folder; return their version."""
    command = ["git", "archive", "--format=zip", commit]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
    return version_of((folder / "pyproject.toml").read_text())


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
