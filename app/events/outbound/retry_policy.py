"""The retry policy: how often deliveries are tried, how many at once, and after which waits."""

from __future__ import annotations

import random
from dataclasses import dataclass

_LONGEST_WAIT = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How deliveries are tried.

    The wait before the n-th repetition is random, up to `first_wait` seconds times 4 to the power
    of n - 1 ("full jitter"), at most twelve hours: with one minute, eight attempts take about a
    day. `attempts` is how often one event is tried before it is parked, and how often in a row a
    subscription rests before it is suspended. `concurrency` is how many deliveries one listener
    receives at once, `poll_seconds` how often a worker looks for new events of which the store
    does not tell it, `timeout` how long a listener may take to answer.
    """

    attempts: int = 8
    first_wait: float = 60.0
    concurrency: int = 16
    poll_seconds: float = 0.05
    timeout: float = 10.0

    def wait(self, failures: int, requested: float) -> float:
        """Return the seconds to wait after so many failures, at least what the listener asked."""
        longest = min(self.first_wait * 4.0 ** min(failures - 1, 10), _LONGEST_WAIT)
        return max(requested, random.uniform(0, longest))  # noqa: S311 - nothing secret
