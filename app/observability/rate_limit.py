"""A bound on lines of the log: at most one of a kind in a period."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_QUIET_SECONDS = 60.0
_REMEMBERED = 4096


class RateLimit:
    """At most one of a kind in a period; `monotonic` is in seconds."""

    def __init__(
        self, seconds: float = _QUIET_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._kinds: OrderedDict[tuple[str, ...], tuple[float, int]] = OrderedDict()

    def admit(self, *kind: str) -> int | None:
        """Return how many were left out since the last one of a kind; None to leave this one out.

        The latest kinds are remembered, up to a bound.
        """
        now = self._monotonic()
        at, suppressed = self._kinds.pop(kind, (-self._seconds - 1.0 + now, 0))
        admitted = now - at >= self._seconds
        self._kinds[kind] = (now, 0) if admitted else (at, suppressed + 1)
        if len(self._kinds) > _REMEMBERED:
            self._kinds.popitem(last=False)
        return suppressed if admitted else None
