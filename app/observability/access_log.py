"""Access log: one line per request, written in batches by a thread.

Writing a line where the request is handled would cost more than many requests do.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from app.observability.logs import format_line

_log = logging.getLogger("tmf683.access")
_FLUSH_SECONDS = 0.1
_MOST_WAITING = 50_000
"""Lines; more are dropped and counted while the stream does not take them."""

Fields: TypeAlias = dict[str, Any]


class AccessLog:
    """Queues lines and writes them within a tenth of a second; `stop` writes what is left.

    Lines are `json` or text. Without a thread, before `start`, each line is written at once.
    """

    def __init__(self, *, json: bool, write: Callable[[str], object] = sys.stderr.write) -> None:
        self._json = json
        self._write = write
        self._waiting: deque[tuple[float, Fields]] = deque()
        self._dropped = 0
        self._wanted = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._scheduled = False

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="access-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write the lines that wait, and end the thread."""
        self._stopping = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        self._flush()

    def add(self, fields: Fields) -> None:
        """Add the line of a request; called in the event loop."""
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append((time.time(), fields))
        if self._thread is None:
            self._flush()
        elif not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._wake)

    def _wake(self) -> None:
        self._scheduled = False
        self._wanted.set()

    def _work(self) -> None:
        while not self._stopping:
            self._wanted.wait()
            self._wanted.clear()
            self._flush()

    def _flush(self) -> None:
        lines = []
        while self._waiting:
            at, fields = self._waiting.popleft()
            lines.append(format_line(at, "info", _log.name, "request", fields, json=self._json))
        if lines:
            self._write("\n".join(lines) + "\n")
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            _log.warning("%d lines of the access log were dropped", dropped)
