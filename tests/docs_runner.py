"""Runs the console blocks of a documentation page, in order, in one shell.

A line that begins with `$ ` is a command, one with `> ` continues it; the lines behind it are what
it prints. `…` in them stands for any text. Port 8080 of this machine stands for the test's server.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.server import clean_environment

_BLOCK = re.compile(r"^```console(?: needs=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^```\w+ ([\w.-]+\.\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_END = "--- end of the output ---"


@dataclass
class Step:
    """A command and the lines that it is to print."""

    command: str
    expected: list[str] = field(default_factory=list)


def steps_of(page: Path) -> list[Step]:
    """Return the commands of a page in their order."""
    return [
        step
        for program, block in _BLOCK.findall(page.read_text())
        if not program or shutil.which(program)
        for step in _steps(block)
    ]


def files_of(page: Path) -> dict[str, str]:
    """Return the files that a page shows whole, by their names."""
    return dict(_FILE.findall(page.read_text()))


def blocks_of(page: Path) -> int:
    """Return how many blocks of a page are run."""
    found = _BLOCK.findall(page.read_text())
    return sum(not program or bool(shutil.which(program)) for program, _ in found)


def _steps(block: str) -> Iterator[Step]:
    step: Step | None = None
    for line in block.splitlines():
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(line[2:])
        elif line.startswith("> ") and step is not None and not step.expected:
            step.command += f"\n{line[2:]}"
        elif step is not None:
            step.expected.append(line)
    if step is not None:
        yield step


def run(steps: list[Step], folder: Path, url: str) -> list[str]:
    """Run the commands in a folder against the server at a URL; return what each printed."""
    script = "".join(
        f"{step.command.replace('http://127.0.0.1:8080', url)}\necho\necho '{_END}'\n"
        for step in steps
    )
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=clean_environment({"PATH": path, "HOME": str(folder)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return [each.strip("\n") for each in done.stdout.split(f"{_END}\n")][: len(steps)]


def matches(expected: list[str], printed: str, url: str) -> bool:
    """Whether a command printed what the page shows."""
    pattern = re.escape("\n".join(expected).replace("http://127.0.0.1:8080", url))
    return re.fullmatch(pattern.replace("…", ".*"), printed, re.DOTALL) is not None
