"""A value that a background thread refreshes, so that requests do not wait for a slow store."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

INTERVAL_SECONDS = 1.0
"""How often the value is looked up while it is asked for."""

IDLE_SECONDS = 60.0
"""How long the value is refreshed after `get` was called last."""

MAX_WAIT_SECONDS = 0.02
"""How long `get` waits for a look that began after it, before it takes the last outcome."""

MAX_AGE_SECONDS = 10.0
"""The oldest outcome that `get` returns; without one it waits for the next look."""


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[Value]):
    """What a look returned or raised, and when it began."""

    begun: float
    value: Value | None = None
    error: Exception | None = None

    def get(self) -> Value:
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.value  # type: ignore[return-value]


class Refreshed(Generic[Value]):
    """The outcome of `look`.

    Between `start` and `stop` a thread calls it, once for all callers of `get`; before and after,
    `get` calls it. `get` returns the outcome of a look that began after the call where that takes
    no longer than `MAX_WAIT_SECONDS`, otherwise the last outcome, which is at most
    `MAX_AGE_SECONDS` old.
    """

    def __init__(
        self, look: Callable[[], Value], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked_at = -math.inf
        self._last: _Outcome[Value] | None = None

    def start(self) -> None:
        """Begin to look in a thread."""
        with self._changed:
            self._thread = threading.Thread(target=self._run, name="refreshed", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when a look in progress has ended."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def get(self) -> Value:
        """Return the newest outcome, or raise what the look raised."""
        with self._changed:
            if self._thread is not None:
                asked = self._asked_at = self._monotonic()
                self._changed.notify_all()
                if not self._changed.wait_for(lambda: self._is_since(asked), MAX_WAIT_SECONDS):
                    self._changed.wait_for(lambda: self._is_since(asked - MAX_AGE_SECONDS))
            last = self._last if self._thread is not None else None
        return self._look() if last is None else last.get()

    def _is_since(self, instant: float) -> bool:
        """Whether a look that began at an instant or later has ended, or none will be made."""
        return self._thread is None or self._begun >= instant

    @property
    def _begun(self) -> float:
        return -math.inf if self._last is None else self._last.begun

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._thread is None or self._begun < self._asked_at, INTERVAL_SECONDS
                )
                if self._thread is None:
                    return
                begun = self._monotonic()
                if begun - self._asked_at > IDLE_SECONDS:
                    continue
            try:
                outcome = _Outcome(begun, self._look())
            except Exception as error:  # it is for those who ask
                outcome = _Outcome(begun, error=error)
            with self._changed:
                self._last = outcome
                self._changed.notify_all()
