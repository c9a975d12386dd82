"""Baselines: known failures of a server, so that a build fails on new ones alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.conformance.outcome import Outcome


class BaselineError(Exception):
    """A file is not a baseline; the message says why."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The failures of a run beside those that were known; each is a name in `Exchange.failures`."""

    new: tuple[str, ...]
    known: tuple[str, ...]
    fixed: tuple[str, ...]


def read_baseline(file: Path) -> tuple[str, ...]:
    """Return the known failures in a file that `write_baseline` wrote.

    Raises:
        BaselineError: it cannot be read, or is not `{"failures": [text, …]}`.
    """
    try:
        failures = json.loads(file.read_text("utf-8"))["failures"]
    except OSError as error:
        raise BaselineError(f"{file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        failures = None
    if not isinstance(failures, list) or not all(isinstance(each, str) for each in failures):
        raise BaselineError(f'{file}: is not {{"failures": ["…"]}}; make it with --write-baseline')
    return tuple(failures)


def write_baseline(file: Path, outcome: Outcome) -> None:
    """Write the failures of a run as known ones."""
    text = json.dumps({"failures": list(outcome.failures())}, ensure_ascii=False, indent=2)
    file.write_text(text + "\n", "utf-8")


def compare(outcome: Outcome, known: Sequence[str]) -> Comparison:
    """Compare the failures of a run with the known ones."""
    found = outcome.failures()
    return Comparison(
        new=tuple(each for each in found if each not in known),
        known=tuple(each for each in found if each in known),
        fixed=tuple(each for each in known if each not in found),
    )
