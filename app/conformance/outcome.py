"""The outcome of a conformance run: what was sent, what was answered, which assertions hold."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.conformance.suite import Request

SHOWN_BYTES = 2048
"""How much of a body a report shows."""

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


@dataclass(frozen=True, slots=True)
class Assertion:
    """One assertion; `failure` says what is wrong, None when it holds.

    `pointer` is the JSON pointer of the rule in the contract, where one place states it. `key`
    is the name in comparisons of runs, where the name itself holds values of the server.
    """

    name: str
    failure: str | None = None
    pointer: str | None = None
    key: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return self.failure is None


@dataclass(frozen=True, slots=True)
class Tally:
    """The assertions of one name on one answer; `failure` is the first, `pointer` its rule."""

    name: str
    passed: int
    failed: int
    failure: str | None
    pointer: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """The headers and body of a request or an answer; secret headers are masked in reports."""

    headers: tuple[tuple[str, str], ...]
    body: str = ""

    def shown_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers, secrets masked."""
        return tuple(
            (name, "***" if name.lower() in _SECRET else value) for name, value in self.headers
        )

    def shown_body(self) -> str:
        """Return the body, cut after `SHOWN_BYTES` characters."""
        cut = len(self.body) - SHOWN_BYTES
        return self.body if cut <= 0 else f"{self.body[:SHOWN_BYTES]}… ({cut} more)"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the assertions on its answer.

    `operation` and `purpose` name it in every run alike, whatever ids the server gives. `url` is
    None when the request could not be made; `status`, `milliseconds`, `size` (of the body, in
    bytes) and `received` are None without an answer.
    """

    request: Request
    assertions: tuple[Assertion, ...]
    url: str | None = None
    status: int | None = None
    milliseconds: float | None = None
    size: int | None = None
    operation: str = ""
    purpose: str = ""
    sent: Message | None = None
    received: Message | None = None

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

    def failures(self) -> tuple[str, ...]:
        """Return a name for each kind of failure that is the same in every run (for baselines)."""
        where = f"{self.operation or self.request.label}: {self.purpose}".removesuffix(": ")
        failed = [each.key or each.name for each in self.assertions if not each.passed]
        return tuple(f"{where}: {name}" for name in dict.fromkeys(failed))

    def curl(self) -> str:
        """Return a command line that repeats the request; empty when it was not sent."""
        if self.url is None or self.sent is None:
            return ""
        words = ["curl", "-i", "-X", self.request.method, self.url]
        for name, value in self.sent.shown_headers():
            words += ["-H", f"{name}: {value}"]
        if self.sent.body:
            words += ["--data-raw", self.sent.body]
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class NotTried:
    """An operation, or a check of one, that the run did not try, and why."""

    operation: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole run of the suite of that title against `base_url`.

    `left` holds the URLs of resources that the run created and did not remove.
    """

    title: str
    base_url: str
    started: datetime
    exchanges: tuple[Exchange, ...]
    not_tried: tuple[NotTried, ...] = ()
    left: tuple[str, ...] = ()

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

    def failures(self) -> tuple[str, ...]:
        """Return the names of all failures, each once, in order."""
        return tuple(dict.fromkeys(name for each in self.exchanges for name in each.failures()))


def _tally(name: str, group: Sequence[Assertion]) -> Tally:
    failures = [each for each in group if each.failure is not None]
    passed = len(group) - len(failures)
    first = failures[0] if failures else Assertion(name)
    return Tally(name, passed, len(failures), first.failure, first.pointer)
