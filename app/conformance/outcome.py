"""What came of running a suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.conformance.suite import Request


@dataclass(frozen=True, slots=True)
class Assertion:
    """One assertion; `failure` says what was wrong, None that it holds."""

    name: str
    failure: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return self.failure is None


@dataclass(frozen=True, slots=True)
class Tally:
    """The assertions of one name on one answer; `failure` is the first."""

    name: str
    passed: int
    failed: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what its answer was worth.

    `url` is None when the request could not be made, `status`, `milliseconds` and `size` (of the
    body, in bytes) when no answer came.
    """

    request: Request
    assertions: tuple[Assertion, ...]
    url: str | None = None
    status: int | None = None
    milliseconds: float | None = None
    size: int | None = None

    @property
    def passed(self) -> int:
        """How many assertions hold."""
        return sum(each.passed for each in self.assertions)

    @property
    def failed(self) -> int:
        """How many assertions fail."""
        return len(self.assertions) - self.passed

    def tallies(self) -> tuple[Tally, ...]:
        """Return the assertions counted by name, in the order in which names first appear."""
        groups: dict[str, list[Assertion]] = {}
        for each in self.assertions:
            groups.setdefault(each.name, []).append(each)
        return tuple(_tally(name, group) for name, group in groups.items())


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole run of the suite of that title against `base_url`."""

    title: str
    base_url: str
    started: datetime
    exchanges: tuple[Exchange, ...]

    @property
    def assertions(self) -> int:
        """How many assertions were made."""
        return sum(len(each.assertions) for each in self.exchanges)

    @property
    def failed(self) -> int:
        """How many of them fail."""
        return sum(each.failed for each in self.exchanges)

    @property
    def mean_milliseconds(self) -> float | None:
        """The mean time of the answers; None when there was none."""
        times = [each.milliseconds for each in self.exchanges if each.milliseconds is not None]
        return sum(times) / len(times) if times else None


def _tally(name: str, group: Sequence[Assertion]) -> Tally:
    failures = [each.failure for each in group if each.failure is not None]
    passed = len(group) - len(failures)
    return Tally(name, passed, len(failures), failures[0] if failures else None)
