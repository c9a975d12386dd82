"""Observation batch: requests and times that wait to be added to their metrics, many at once.

A metric that several processes share is written to a mapped file. Doing so for each request takes
longer than to find a document.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Numbers
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram


class ObservationBatch:
    """Observations in the order they were made; any thread may add some."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Counter | None, Histogram, float]] = deque()

    def add(self, counter: Counter | None, histogram: Histogram, seconds: float) -> None:
        """Keep a time for a histogram, and one to be counted if there is a counter."""
        self._waiting.append((counter, histogram, seconds))

    def flush(self) -> None:
        """Add what waits to its metrics."""
        numbers: Numbers[Counter] = Numbers()
        times: dict[Histogram, list[float]] = {}
        for _ in range(len(self._waiting)):
            try:
                counter, histogram, seconds = self._waiting.popleft()
            except IndexError:  # another thread is doing the same
                break
            times.setdefault(histogram, []).append(seconds)
            if counter is not None:
                numbers[counter] += 1
        for histogram, seconds_of_all in times.items():
            _observe(histogram, seconds_of_all)
        for counter, number in numbers.items():
            counter.inc(number)


def _observe(histogram: Histogram, amounts: list[float]) -> None:
    """Do what `Histogram.observe` does, for several amounts."""
    bounds = histogram._upper_bounds
    histogram._sum.inc(sum(amounts))
    for bucket, number in Numbers(bisect_left(bounds, each) for each in amounts).items():
        histogram._buckets[bucket].inc(number)
