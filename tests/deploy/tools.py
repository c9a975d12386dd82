"""The checking tools of `tools/`, built with Go once and kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_SOURCES = Path(__file__).parent / "tools"
_BINARY = ROOT / "build" / "deploytools"


def tool(*arguments: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run one; skip where it cannot be built."""
    newest = max(file.stat().st_mtime for file in _SOURCES.iterdir())
    if not _BINARY.exists() or _BINARY.stat().st_mtime < newest:
        if not shutil.which("go"):
            pytest.skip("no Go: the files of deploy/ and the metrics cannot be linted")
        _BINARY.parent.mkdir(exist_ok=True)
        command = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(_BINARY), "."]
        environment = {**os.environ, "CGO_ENABLED": "0"}
        subprocess.run(command, cwd=_SOURCES, check=True, env=environment)
    return subprocess.run(
        [_BINARY, *arguments], input=text, capture_output=True, text=True, cwd=ROOT, check=False
    )


def rendered(*values: str, release: str = "prod") -> dict[str, str]:
    """Return the chart's files as helm renders them."""
    done = tool("helm-template", release, "deploy/helm", *values)
    assert done.returncode == 0, done.stderr
    files: dict[str, Any] = json.loads(done.stdout)
    return files
