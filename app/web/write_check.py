"""Write check: whether the store can be written, tested by a small write every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from storage import Store, StoreError

SECONDS = 3.0


class WriteCheck:
    """Writes at most once in `SECONDS`, one process for all, and keeps the outcome."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._checked_at = -SECONDS
        self._error: StoreError | None = None
        self._checking = Lock()

    def run(self) -> None:
        """Return when the last write succeeded.

        Raises:
            StoreError: it failed.
        """
        with self._checking:
            if self._monotonic() - self._checked_at >= SECONDS:
                self._error = self._outcome()
                self._checked_at = self._monotonic()
            if self._error is not None:
                raise self._error.with_traceback(None)

    def _outcome(self) -> StoreError | None:
        try:
            self._store.check_write(SECONDS)
        except StoreError as error:
            return error
        return None
