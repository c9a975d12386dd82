"""Delivery cursors: how far each subscription has come in the event log, and its failed deliveries.

A cursor is one document: the number up to which every event was processed, which worker holds the
lease, and whether deliveries pause. Events that were acknowledged beyond that number, while an
earlier one is still being sent, are a document beside it, and so is each failed delivery. Every
change of a cursor names the version it is based on: of two workers that both believe they hold a
cursor, one gets a conflict.

Leases do not rely on clocks. The holder changes the cursor several times per lease duration, which
gives it another version. A cursor whose version stays the same for a lease duration, measured by
the observer's own monotonic clock, is free. `held_until` is for people, and for earlier releases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import TypeAlias

from app.events.outbound.failed_deliveries import (
    FailedDelivery,
    State,
    failed_deliveries,
    forget_failed,
    prepare_failed,
    put_failed,
)
from app.events.outbound.last_attempts import (
    LastAttempts,
    forget_last_attempts,
    prepare_last_attempts,
    store_last_attempts,
)
from storage import Document, DocumentNotFound, Query, Store, VersionConflict, Window, every, json
from storage.update import Change, Write, find_document, remove, update

CURSORS = "events/lane"
"""The names in the store are those of the first release."""
ACKNOWLEDGED = "events/acknowledged"

_FARTHEST_SECONDS = 25 * 3600.0
"""No wait is so long: what lies farther ahead was written by a clock that was wrong."""

_PAUSED = "paused by "
"""How the reason begins when an operator stopped the deliveries, and no failure did."""

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Numbers of events as ranges, first and last one included, in ascending order."""


@dataclass(frozen=True, slots=True)
class DeliveryCursor:
    """The progress of one subscription; times are seconds since 1970.

    Every event up to `position` was processed: delivered, stored as a failed delivery, or not
    wanted by the subscription. `holder` is the worker that has the lease. `failures` counts the
    rests since the last success; `rest_until` is when the present one ends; `retry_at` is when the
    next failed delivery is due, 0 when there is none; `suspended` is the reason why deliveries are
    stopped, empty when they are not. `missed` counts the events that retention removed before they
    were delivered.

    The first release refuses attributes that it does not know: what is new is stored elsewhere.
    """

    id: str
    position: int
    opened: float = 0.0
    holder: str = ""
    held_until: float = 0.0
    failures: int = 0
    rest_until: float = 0.0
    retry_at: float = 0.0
    suspended: str = ""
    missed: int = 0

    @property
    def paused(self) -> bool:
        """Whether an operator stopped the deliveries."""
        return self.suspended.startswith(_PAUSED)

    def has_work(self, last: int, now: float) -> bool:
        """Whether there are events behind its position, or failed deliveries that are due."""
        return self.position < last or (self.retry_at > 0 and is_due(self.retry_at, now))


def is_due(at: float, now: float) -> bool:
    """Whether a time has come, or was written by a clock that was far ahead."""
    return at <= now or at > now + _FARTHEST_SECONDS


class CursorLost(Exception):
    """Another worker has taken the cursor, an operator has reset it, or it is gone."""


class DeliveryCursors:
    """The cursors of a store, as one worker sees them.

    `clock` is the wall clock in seconds since 1970, `monotonic` measures how long a lease was not
    renewed.
    """

    def __init__(
        self,
        store: Store,
        holder: str,
        lease_seconds: float,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self.holder = holder
        self.lease = lease_seconds
        self.now = clock
        self._monotonic = monotonic
        self._versions: dict[str, int] = {}
        self._acknowledged: dict[str, Ranges] = {}
        self._observed: dict[str, tuple[int, float]] = {}

    def all(self) -> Iterator[DeliveryCursor]:
        """Yield every cursor, and note which of the leases were renewed."""
        seen = {}
        for document in every(self._store, CURSORS):
            self._observe(document)
            seen[document.id] = self._observed[document.id]
            yield _decode_cursor(document)
        self._observed = seen

    def is_free(self, cursor: DeliveryCursor) -> bool:
        """Whether this worker may take a cursor that `all` yielded."""
        if cursor.suspended or not is_due(cursor.rest_until, self.now()):
            return False
        return not self.is_held(cursor)

    def is_held(self, cursor: DeliveryCursor) -> bool:
        """Whether another worker holds the lease and is not known to have stopped renewing it."""
        if cursor.holder in ("", self.holder):
            return False
        _, since = self._observed.get(cursor.id, (0, self._monotonic()))
        return self._monotonic() - since <= self.lease

    def take(self, id: str) -> tuple[DeliveryCursor, Ranges] | None:
        """Take a cursor, and return it with the events acknowledged beyond its position.

        None when another worker holds it, or the subscription rests or is suspended.
        """
        document = find_document(self._store, CURSORS, id)
        if document is None:
            return None
        self._observe(document)
        cursor = _decode_cursor(document)
        if not self.is_free(cursor):
            return None
        if cursor.holder and not cursor.retry_at:
            # Its holder did not release it, so a failed delivery may be stored without a due time.
            cursor = replace(cursor, retry_at=self.now())
        self._versions[id] = document.version
        try:
            cursor = self._renew(cursor)
        except CursorLost:
            return None
        acknowledged = self._acknowledged[id] = _acknowledged(self._store, id)
        return cursor, acknowledged

    def keep(self, cursor: DeliveryCursor, acknowledged: Ranges) -> DeliveryCursor:
        """Store the progress, and renew the lease.

        Raises:
            CursorLost: another worker holds it by now.
        """
        self._store_acknowledged(cursor, acknowledged)
        return self._renew(cursor)

    def release(self, cursor: DeliveryCursor, acknowledged: Ranges) -> None:
        """Store the progress, and let any worker take the cursor."""
        self._store_acknowledged(cursor, acknowledged)
        try:
            self._write(replace(cursor, holder="", held_until=0.0))
        except CursorLost:
            return

    def note_attempts(self, id: str, attempts: LastAttempts) -> None:
        """Store when deliveries were last attempted."""
        store_last_attempts(self._store, id, attempts)

    def close(self, id: str) -> None:
        """Remove a cursor whose subscription was removed, with its failed deliveries."""
        close_cursor(self._store, id)

    def failed(
        self, *, cursor: str | None = None, state: State | None = None
    ) -> list[FailedDelivery]:
        """Return failed deliveries, the oldest events first."""
        return failed_deliveries(self._store, cursor=cursor, state=state)

    def put(self, failed: FailedDelivery) -> None:
        """Store a failed delivery, in place of an earlier state of it."""
        put_failed(self._store, failed)

    def forget(self, id: str) -> None:
        """Remove a failed delivery."""
        forget_failed(self._store, id)

    def _observe(self, document: Document) -> None:
        """Note since when a cursor has had its version, by this worker's monotonic clock."""
        known = self._observed.get(document.id)
        if known is None or known[0] != document.version:
            self._observed[document.id] = (document.version, self._monotonic())

    def _renew(self, cursor: DeliveryCursor) -> DeliveryCursor:
        held = replace(cursor, holder=self.holder, held_until=self.now() + self.lease)
        self._write(held)
        return held

    def _write(self, cursor: DeliveryCursor) -> None:
        version = self._versions.get(cursor.id, 0)
        try:
            document = self._store.replace(
                CURSORS, cursor.id, _encode_cursor(cursor), version=version
            )
        except (VersionConflict, DocumentNotFound):
            raise CursorLost(cursor.id) from None
        self._versions[cursor.id] = document.version

    def _store_acknowledged(self, cursor: DeliveryCursor, acknowledged: Ranges) -> None:
        """Store what was acknowledged beyond the position, before the position itself.

        What another worker has stored meanwhile stays: an acknowledgement is never taken back.
        """
        if self._acknowledged.get(cursor.id, ()) == acknowledged:
            return

        def change(present: Document | None) -> Change:
            there = () if present is None else _decode_ranges(present)
            known = [each for each in (*there, *acknowledged) if each[1] > cursor.position]
            return Write(json.dumps({"ranges": merged_ranges(known)}))

        update(self._store, ACKNOWLEDGED, cursor.id, change)
        self._acknowledged[cursor.id] = acknowledged


def prepare_cursors(store: Store) -> None:
    """Create the collections that cursors need."""
    store.prepare(CURSORS, ())
    store.prepare(ACKNOWLEDGED, ())
    prepare_last_attempts(store)
    prepare_failed(store)


def open_cursor(store: Store, id: str, position: int, *, suspended: str = "") -> None:
    """Create a cursor at a position; one left by an earlier subscription is reset.

    `suspended` is the reason why nothing is delivered until an operator resumes it.
    """
    opened = DeliveryCursor(id, position, opened=time.time(), suspended=suspended)
    existed = False

    def change(present: Document | None) -> Change:
        nonlocal existed
        existed = present is not None
        return Write(_encode_cursor(opened))

    update(store, CURSORS, id, change)
    if existed:
        forget_last_attempts(store, id)
        for failed in failed_deliveries(store, cursor=id):
            forget_failed(store, failed.id)


def resume_cursor(store: Store, id: str, *, retry_at: float = 0.0) -> bool:
    """Let a suspended or resting subscription go on at once; return whether there is one.

    Its lease is cleared, whoever holds it. `retry_at` says when its failed deliveries are due, if
    they are to be tried again.
    """

    def resumed(cursor: DeliveryCursor) -> DeliveryCursor:
        return replace(
            cursor,
            suspended="",
            failures=0,
            rest_until=0.0,
            holder="",
            held_until=0.0,
            retry_at=retry_at or cursor.retry_at,
        )

    return _change_cursor(store, id, resumed)


def pause_cursor(store: Store, id: str, operator: str) -> bool:
    """Stop the deliveries of a subscription until it is resumed; return whether there is one.

    `operator` is who stops them. The lease is cleared: a worker that holds it finds out when it
    next stores its progress.
    """

    def paused(cursor: DeliveryCursor) -> DeliveryCursor:
        return replace(cursor, suspended=_PAUSED + operator, holder="", held_until=0.0)

    return _change_cursor(store, id, paused)


def reload_cursor(store: Store, id: str, *, retry_at: float = 0.0) -> bool:
    """Let a worker read the failed deliveries of a subscription anew; return whether there is one.

    Its lease is cleared, so that no worker goes on with what it has read. `retry_at` says when the
    failed deliveries are due, if that has changed.
    """

    def reloaded(cursor: DeliveryCursor) -> DeliveryCursor:
        return replace(cursor, holder="", held_until=0.0, retry_at=retry_at or cursor.retry_at)

    return _change_cursor(store, id, reloaded)


def read_cursor(store: Store, id: str) -> DeliveryCursor | None:
    """Return a cursor; None when there is none."""
    document = find_document(store, CURSORS, id)
    return None if document is None else _decode_cursor(document)


def find_cursors(store: Store, window: Window) -> tuple[list[DeliveryCursor], int]:
    """Return a window of the cursors, the newest first, and how many there are."""
    page = store.find(CURSORS, Query(window=window))
    return [_decode_cursor(document) for document in page.documents], page.total or 0


def close_cursor(store: Store, id: str) -> None:
    """Remove a cursor whose subscription was removed, with its failed deliveries."""
    for failed in failed_deliveries(store, cursor=id):
        forget_failed(store, failed.id)
    forget_last_attempts(store, id)
    remove(store, ACKNOWLEDGED, id)
    remove(store, CURSORS, id)


def read_cursors(store: Store) -> list[DeliveryCursor]:
    """Return every cursor of a store."""
    return [_decode_cursor(document) for document in every(store, CURSORS)]


def merged_ranges(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return ranges of numbers in ascending order, with those that touch or overlap joined."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _change_cursor(
    store: Store, id: str, changed: Callable[[DeliveryCursor], DeliveryCursor]
) -> bool:
    def change(present: Document | None) -> Change:
        return None if present is None else Write(_encode_cursor(changed(_decode_cursor(present))))

    return update(store, CURSORS, id, change) is not None


def _acknowledged(store: Store, id: str) -> Ranges:
    document = find_document(store, ACKNOWLEDGED, id)
    return () if document is None else _decode_ranges(document)


def _decode_ranges(document: Document) -> Ranges:
    return tuple((first, last) for first, last in json.loads(document.content)["ranges"])


_FIELDS = frozenset(each.name for each in fields(DeliveryCursor))


def _encode_cursor(cursor: DeliveryCursor) -> bytes:
    return json.dumps(asdict(cursor))


def _decode_cursor(document: Document) -> DeliveryCursor:
    """Return a cursor; what a later release keeps in it is ignored."""
    stored = json.loads(document.content)
    return DeliveryCursor(**{name: value for name, value in stored.items() if name in _FIELDS})
