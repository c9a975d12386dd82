"""Progress bars, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click


@contextmanager
def progress_bar(total: int | None, label: str) -> Iterator[Callable[[], object]]:
    """Show a progress bar, unless the total is unknown; yield what advances it by one."""
    if total is None:
        yield lambda: None
        return
    bar: Any
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield lambda: bar.update(1)
