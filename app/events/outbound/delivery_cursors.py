"""Delivery cursors: how far each subscription has come in the event log, kept in the store.

A cursor is one document: the number of the last event that was processed, which worker holds the
lease and until when, and whether deliveries pause. A failed delivery is a document of its own.
Every change names the version it is based on, so of two workers that both believe they hold a
cursor, one gets a conflict.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from storage import (
    And,
    Comparison,
    Condition,
    Document,
    DocumentExists,
    DocumentNotFound,
    Index,
    Operator,
    Store,
    VersionConflict,
    every,
    json,
)

CURSORS = "events/lane"  # the names in the store are those of the first release
FAILED = "events/failed"
_INDEXES = (Index((("lane",),)), Index((("state",),)))

State: TypeAlias = Literal["waiting", "parked"]


@dataclass(frozen=True, slots=True)
class DeliveryCursor:
    """The progress of one subscription; times are seconds since 1970.

    `holder` is the worker that has the lease, until `held_until`. `failures` counts the rests since
    the last success; `rest_until` is when the present one ends; `retry_at` is when the next failed
    delivery is due, 0 when there is none; `suspended` says why nothing is tried any more, empty
    when something is. `missed` counts the events that were removed before they could be told.
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

    def is_free(self, holder: str, now: float) -> bool:
        """Whether a worker may take it."""
        held = self.holder not in ("", holder) and self.held_until > now
        return not (held or self.suspended or self.rest_until > now)

    def has_work(self, last: int, now: float) -> bool:
        """Whether there are events behind its position, or failed deliveries that are due."""
        return self.position < last or 0 < self.retry_at <= now


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A delivery that did not succeed yet (`waiting`) or was given up (`parked`).

    `resource` is what the event is about: its other events wait behind this one.
    """

    id: str
    cursor: str
    number: int
    resource: str
    event: str
    type: str
    body: dict[str, Any]
    state: State = "waiting"
    attempts: int = 0
    next: float = 0.0
    error: str = ""
    trace: str = ""


class CursorLost(Exception):
    """Another worker has taken the cursor, or it is gone."""


class DeliveryCursors:
    """The cursors of a store, as one worker sees them."""

    def __init__(self, store: Store, holder: str, lease_seconds: float) -> None:
        self._store = store
        self._holder = holder
        self.lease = lease_seconds
        self._versions: dict[str, int] = {}

    @property
    def holder(self) -> str:
        """The name under which this worker holds cursors."""
        return self._holder

    def take(self, id: str) -> DeliveryCursor | None:
        """Return a cursor to work on; None when another works on it, it rests or is suspended."""
        try:
            document = self._store.get(CURSORS, id)
        except DocumentNotFound:
            return None
        cursor = _cursor(document)
        if not cursor.is_free(self._holder, time.time()):
            return None
        if cursor.holder and not cursor.retry_at:  # not let go: what failed last may not be noted
            cursor = replace(cursor, retry_at=time.time())
        self._versions[id] = document.version
        try:
            return self.keep(cursor)
        except CursorLost:
            return None

    def keep(self, cursor: DeliveryCursor) -> DeliveryCursor:
        """Store a cursor that is worked on, and hold it for longer.

        Raises:
            CursorLost: it is another's by now.
        """
        held = replace(cursor, holder=self._holder, held_until=time.time() + self.lease)
        self._write(held)
        return held

    def release(self, cursor: DeliveryCursor) -> None:
        """Store a cursor and let any worker take it."""
        try:
            self._write(replace(cursor, holder="", held_until=0.0))
        except CursorLost:
            return

    def close(self, id: str) -> None:
        """Remove a cursor whose subscription is gone, and its failed deliveries."""
        for failed in self.failed(cursor=id):
            self.forget(failed.id)
        _remove(self._store, CURSORS, id)

    def all(self) -> Iterator[DeliveryCursor]:
        """Yield every cursor."""
        for document in every(self._store, CURSORS):
            yield _cursor(document)

    def failed(
        self, *, cursor: str | None = None, state: State | None = None
    ) -> list[FailedDelivery]:
        """Return failed deliveries, the oldest events first."""
        return _failed(self._store, cursor, state)

    def put(self, failed: FailedDelivery) -> None:
        """Store a failed delivery, in place of what was known of it."""
        content = _encode_failed(failed)
        try:
            self._store.insert(FAILED, failed.id, content)
        except DocumentExists:
            there = self._store.get(FAILED, failed.id)
            self._store.replace(FAILED, failed.id, content, version=there.version)

    def forget(self, id: str) -> None:
        """Remove a failed delivery."""
        _remove(self._store, FAILED, id)

    def _write(self, cursor: DeliveryCursor) -> None:
        try:
            document = self._store.replace(
                CURSORS,
                cursor.id,
                json.dumps(asdict(cursor)),
                version=self._versions.get(cursor.id, 0),
            )
        except (VersionConflict, DocumentNotFound):
            raise CursorLost(cursor.id) from None
        self._versions[cursor.id] = document.version


def prepare_cursors(store: Store) -> None:
    """Make the collections that cursors need."""
    store.prepare(CURSORS, ())
    store.prepare(FAILED, _INDEXES)


def open_cursor(store: Store, id: str, position: int) -> None:
    """Begin a cursor behind an event; one that an earlier subscription left begins anew."""
    cursor = json.dumps(asdict(DeliveryCursor(id, position, opened=time.time())))
    for _ in range(20):
        try:
            store.insert(CURSORS, id, cursor)
        except DocumentExists:
            try:
                there = store.get(CURSORS, id)
                store.replace(CURSORS, id, cursor, version=there.version)
            except (DocumentNotFound, VersionConflict):
                continue
            for failed in _failed(store, id):
                _remove(store, FAILED, failed.id)
        return


def resume(store: Store, id: str, *, retry_at: float = 0.0) -> bool:
    """Let a cursor go on at once, suspended or resting; return whether there is one.

    `retry_at` says when its failed deliveries are due, if they are to be tried again.
    """
    for _ in range(20):
        try:
            document = store.get(CURSORS, id)
        except DocumentNotFound:
            return False
        cursor = replace(_cursor(document), suspended="", failures=0, rest_until=0.0)
        cursor = replace(cursor, retry_at=retry_at or cursor.retry_at)
        try:
            store.replace(CURSORS, id, json.dumps(asdict(cursor)), version=document.version)
        except VersionConflict:
            continue
        return True
    return False


def _failed(
    store: Store, cursor: str | None = None, state: State | None = None
) -> list[FailedDelivery]:
    stated: list[Condition] = []
    for name, value in (("lane", cursor), ("state", state)):
        if value is not None:
            stated.append(Comparison((name,), Operator.EQ, value))
    found = every(store, FAILED, And(tuple(stated)) if stated else None)
    deliveries = [_decode_failed(document) for document in found]
    return sorted(deliveries, key=lambda each: (each.number, each.id))


def _encode_failed(failed: FailedDelivery) -> bytes:
    stored = asdict(failed)
    stored["lane"] = stored.pop("cursor")
    return json.dumps(stored)


def _decode_failed(document: Document) -> FailedDelivery:
    stored = json.loads(document.content)
    return FailedDelivery(cursor=stored.pop("lane"), **stored)


def _cursor(document: Document) -> DeliveryCursor:
    return DeliveryCursor(**json.loads(document.content))


def _remove(store: Store, collection: str, id: str) -> None:
    for _ in range(20):
        try:
            document = store.get(collection, id)
            store.delete(collection, id, version=document.version)
        except VersionConflict:
            continue
        except DocumentNotFound:
            return
        return
