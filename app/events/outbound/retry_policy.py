"""RetryPolicy: how often, how many at once, and after which waits deliveries are tried."""

from __future__ import annotations

import random
from dataclasses import dataclass

_LONGEST_WAIT = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How deliveries are tried: attempts, and seconds before the first repetition.

    The wait before the n-th repetition is random, up to `first_wait` times 4 to the n ("full
    jitter"), twelve hours at most: with a minute, eight attempts take about a day. `concurrency` is
    how many deliveries one listener gets at once, `poll_seconds` how often a worker looks for new
    events, and `retention_hours` how long events are kept.
    """

    attempts: int = 8
    first_wait: float = 60.0
    concurrency: int = 16
    poll_seconds: float = 0.1
    retention_hours: float = 72.0

    def wait(self, failures: int, asked: float) -> float:
        """Return how long to wait after so many failures; never less than the listener asks."""
        longest = min(self.first_wait * 4.0 ** min(failures - 1, 10), _LONGEST_WAIT)
        return max(asked, random.uniform(0, longest))  # noqa: S311 - nothing secret
