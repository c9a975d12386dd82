"""Change streams: MongoDB reports writes that caused events, so that readers need not poll.

Replica sets and sharded clusters have them. A server without them is asked again now and then, in
case it has become a member of a replica set; meanwhile whoever reads the log looks by itself.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable

from pymongo import errors as failures
from pymongo.database import Database

from storage.mongo.envelope import DELETED, PENDING, Bson
from storage.mongo.event_log import WITHOUT_EVENTS, pinned
from storage.mongo.failures import first_line

_log = logging.getLogger(__name__)

_AWAIT_MILLISECONDS = 1000
"""How long the server waits for a change before it answers that there was none."""
_REFUSED_SECONDS = 60.0
_LOST_SECONDS = 1.0

_UPDATED = "updateDescription.updatedFields"
_PIPELINE: list[Bson] = [
    {
        "$match": {
            "ns.coll": {"$regex": f"^(?!{'|'.join(map(re.escape, WITHOUT_EVENTS))})"},
            "$or": [
                {"operationType": "insert", f"fullDocument.{PENDING}": True},
                # Every change raises the version; logging the events of an envelope does not.
                {"operationType": "update", f"{_UPDATED}.v": {"$exists": True}},
                {"operationType": "update", f"{_UPDATED}.{DELETED}": {"$exists": True}},
            ],
        }
    },
    {"$project": {"operationType": 1}},
]


class ChangeStream:
    """Calls `seen` after writes that may have caused events, from a thread of its own."""

    def __init__(self, database: Database[Bson], seen: Callable[[], object]) -> None:
        self._database = database
        self._seen = seen
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._is_open = False
        self._refusal = ""
        self._thread = threading.Thread(target=self._run, name="change-stream", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether MongoDB reports writes now."""
        return self._is_open

    def close(self) -> None:
        """Call `seen` no more; the thread ends when the server has answered it."""
        with self._lock:
            self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            seconds = self._follow()
            self._is_open = False
            self._closed.wait(seconds)

    def _follow(self) -> float:
        """Follow a stream to its end; return the seconds to wait before another is opened."""
        try:
            with pinned(self._database).watch(
                _PIPELINE, max_await_time_ms=_AWAIT_MILLISECONDS
            ) as stream:
                self._is_open = True
                self._tell()  # of what was written before
                while not self._closed.is_set():
                    if stream.try_next() is not None:
                        self._tell()
        except failures.OperationFailure as error:
            self._report(first_line(error))
            return _REFUSED_SECONDS
        except failures.PyMongoError:
            return _LOST_SECONDS
        return 0.0

    def _tell(self) -> None:
        with self._lock:
            if not self._closed.is_set():
                self._seen()

    def _report(self, refusal: str) -> None:
        if refusal != self._refusal and not self._closed.is_set():
            self._refusal = refusal
            _log.info("no change stream, the log of events is polled: %s", refusal)
