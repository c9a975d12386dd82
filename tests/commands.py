"""Run commands of `tmf683`: in this process, or as a process of their own where that matters."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import chdir, nullcontext
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner

from app.cli import main
from tests.server import clean_environment

COMMAND = str(Path(sys.executable).with_name("tmf683"))


def tmf683(
    *arguments: str, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in this process: starting Python would take most of the time.

    It sees no `TMF_*` variables but those in `environment`.

    Raises:
        Exception: one that the command does not handle.
    """
    inside = chdir(folder) if folder is not None else nullcontext()
    with patch.dict(os.environ, clean_environment(environment), clear=True), inside:
        result = CliRunner().invoke(main, list(arguments), prog_name="tmf683")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(
        [COMMAND, *arguments], result.exit_code, result.stdout, result.stderr
    )


def tmf683_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process."""
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=clean_environment(environment),
        check=False,
        timeout=600,
    )
