"""Lanes: how far each subscription has come, kept in the store so that any worker can go on.

A lane is one document: the number of the last event that is done with, who works on it and until
when, and whether it rests. A delivery that failed is a document of its own beside it. Every change
names the version it is based on, so of two workers that both believe a lane theirs, one notices.
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

LANES = "events/lane"
FAILED = "events/failed"
_INDEXES = (Index((("lane",),)), Index((("state",),)))

State: TypeAlias = Literal["waiting", "parked"]


@dataclass(frozen=True, slots=True)
class Lane:
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
class Failed:
    """A delivery that did not succeed yet (`waiting`) or was given up (`parked`).

    `resource` is what the event is about: its other events wait behind this one.
    """

    id: str
    lane: str
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


class LaneLost(Exception):
    """Another worker has taken the lane, or it is gone."""


class Lanes:
    """The lanes of a store, as one worker sees them."""

    def __init__(self, store: Store, holder: str, lease_seconds: float) -> None:
        self._store = store
        self._holder = holder
        self.lease = lease_seconds
        self._versions: dict[str, int] = {}

    @property
    def holder(self) -> str:
        """The name under which this worker holds lanes."""
        return self._holder

    def take(self, id: str) -> Lane | None:
        """Return a lane to work on; None when another works on it, it rests or is suspended."""
        try:
            document = self._store.get(LANES, id)
        except DocumentNotFound:
            return None
        lane = _lane(document)
        if not lane.is_free(self._holder, time.time()):
            return None
        if lane.holder and not lane.retry_at:  # not let go: what failed last may not be noted
            lane = replace(lane, retry_at=time.time())
        self._versions[id] = document.version
        try:
            return self.keep(lane)
        except LaneLost:
            return None

    def keep(self, lane: Lane) -> Lane:
        """Store a lane that is worked on, and hold it for longer.

        Raises:
            LaneLost: it is another's by now.
        """
        held = replace(lane, holder=self._holder, held_until=time.time() + self.lease)
        self._write(held)
        return held

    def release(self, lane: Lane) -> None:
        """Store a lane and let any worker take it."""
        try:
            self._write(replace(lane, holder="", held_until=0.0))
        except LaneLost:
            return

    def close(self, id: str) -> None:
        """Remove a lane whose subscription is gone, and its failed deliveries."""
        for failed in self.failed(lane=id):
            self.forget(failed.id)
        _remove(self._store, LANES, id)

    def all(self) -> Iterator[Lane]:
        """Yield every lane."""
        for document in every(self._store, LANES):
            yield _lane(document)

    def failed(self, *, lane: str | None = None, state: State | None = None) -> list[Failed]:
        """Return failed deliveries, the oldest events first."""
        return _failed(self._store, lane, state)

    def put(self, failed: Failed) -> None:
        """Store a failed delivery, in place of what was known of it."""
        content = json.dumps(asdict(failed))
        try:
            self._store.insert(FAILED, failed.id, content)
        except DocumentExists:
            there = self._store.get(FAILED, failed.id)
            self._store.replace(FAILED, failed.id, content, version=there.version)

    def forget(self, id: str) -> None:
        """Remove a failed delivery."""
        _remove(self._store, FAILED, id)

    def _write(self, lane: Lane) -> None:
        try:
            document = self._store.replace(
                LANES, lane.id, json.dumps(asdict(lane)), version=self._versions.get(lane.id, 0)
            )
        except (VersionConflict, DocumentNotFound):
            raise LaneLost(lane.id) from None
        self._versions[lane.id] = document.version


def prepare_lanes(store: Store) -> None:
    """Make the collections that lanes need."""
    store.prepare(LANES, ())
    store.prepare(FAILED, _INDEXES)


def open_lane(store: Store, id: str, position: int) -> None:
    """Begin a lane behind an event; one that an earlier subscription left begins anew."""
    lane = json.dumps(asdict(Lane(id, position, opened=time.time())))
    for _ in range(20):
        try:
            store.insert(LANES, id, lane)
        except DocumentExists:
            try:
                there = store.get(LANES, id)
                store.replace(LANES, id, lane, version=there.version)
            except (DocumentNotFound, VersionConflict):
                continue
            for failed in _failed(store, id):
                _remove(store, FAILED, failed.id)
        return


def resume(store: Store, id: str, *, retry_at: float = 0.0) -> bool:
    """Let a lane go on at once, suspended or resting; return whether there is one.

    `retry_at` says when its failed deliveries are due, if they are to be tried again.
    """
    for _ in range(20):
        try:
            document = store.get(LANES, id)
        except DocumentNotFound:
            return False
        lane = replace(_lane(document), suspended="", failures=0, rest_until=0.0)
        lane = replace(lane, retry_at=retry_at or lane.retry_at)
        try:
            store.replace(LANES, id, json.dumps(asdict(lane)), version=document.version)
        except VersionConflict:
            continue
        return True
    return False


def _failed(store: Store, lane: str | None = None, state: State | None = None) -> list[Failed]:
    stated: list[Condition] = []
    for name, value in (("lane", lane), ("state", state)):
        if value is not None:
            stated.append(Comparison((name,), Operator.EQ, value))
    found = every(store, FAILED, And(tuple(stated)) if stated else None)
    deliveries = [Failed(**json.loads(document.content)) for document in found]
    return sorted(deliveries, key=lambda each: (each.number, each.id))


def _lane(document: Document) -> Lane:
    return Lane(**json.loads(document.content))


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
