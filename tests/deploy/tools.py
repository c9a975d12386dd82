"""The tools of `tools/` that check deploy/, built with Go once and kept in build/."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    """Return the chart's files as helm renders them.

    `values` are what `helm template` takes: `-f FILE`, `-a API`, then NAME=VALUE.
    """
    done = tool("helm-template", release, "deploy/helm", *values)
    assert done.returncode == 0, done.stderr
    files: dict[str, Any] = json.loads(done.stdout)
    return files


def resources(*values: str, release: str = "prod") -> list[dict[str, Any]]:
    """Return the resources that the chart makes, those of `helm test` included."""
    files = rendered(*values, release=release)
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def prom_ql(load: str, at: float, *expressions: str) -> list[dict[str, Any]]:
    """Evaluate PromQL expressions over series, which `load` has as promtool's unit tests do.

    Each answer has `selectors`, each with its `name` and `labels`, and the `result`, samples with
    their `labels` and `value`.
    """
    done = tool("promql", text=json.dumps({"load": load, "at": at, "exprs": expressions}))
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def go_module(name: str, version: str) -> Path:
    """Return the folder of a Go module's files; skip where it cannot be had."""
    if not shutil.which("go"):
        pytest.skip("no Go: the schemas of other projects' resources are in their Go modules")
    command = ["go", "mod", "download", "-json", f"{name}@{version}"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the Go module {name} cannot be had: {done.stdout[-200:]}")
    return Path(json.loads(done.stdout)["Dir"])
