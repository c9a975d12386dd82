"""A store that is watched: how long each call takes, and its span where traces are kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from time import perf_counter
from types import TracebackType
from typing import TypeAlias

from app.observability.log_events import LogEvent, log_event
from app.observability.metrics import Metrics
from app.observability.query_shape import shape_of
from app.observability.rate_limit import RateLimit
from storage import (
    Document,
    Event,
    EventReaders,
    EventWatch,
    Group,
    Index,
    Insertion,
    Page,
    Query,
    Store,
)

Span: TypeAlias = Callable[[str, str], AbstractContextManager[object]]
"""Begins the span of a call, given the method and the collection."""


class _Watch:
    __slots__ = ("_begun", "_method", "_metrics", "_span")

    def __init__(
        self, metrics: Metrics, method: str, span: AbstractContextManager[object] | None
    ) -> None:
        self._metrics = metrics
        self._method = method
        self._span = span

    def __enter__(self) -> None:
        if self._span is not None:
            self._span.__enter__()
        self._begun = perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._metrics.store(self._method, perf_counter() - self._begun)
        if self._span is not None:
            self._span.__exit__(kind, error, trace)


class ObservedStore:
    """`Store`, as the adapter behind it has it: the one that it was given last.

    It may be made before that store is opened, to be used afterwards. A query that takes more than
    `slow_seconds` is logged, unless they are 0.
    """

    _store: Store
    reads_without_io_wait: bool

    def __init__(
        self,
        store: Store | None,
        metrics: Metrics,
        span: Span | None = None,
        *,
        slow_seconds: float = 0.0,
    ) -> None:
        if store is not None:
            self.observe(store)
        self._slow_seconds = slow_seconds
        self._slow = RateLimit()
        self._metrics = metrics
        self._span = span

    def observe(self, store: Store) -> None:
        """Pass calls on to this store from now on."""
        self._store = store
        self.reads_without_io_wait = store.reads_without_io_wait

    @property
    def single_process(self) -> bool:
        """See `Store.single_process`."""
        return self._store.single_process

    def prepare(self, collection: str, indexes: Iterable[Index]) -> None:
        """See `Store.prepare`."""
        self._store.prepare(collection, indexes)

    def log_events_for(self, collection: str, readers: EventReaders) -> None:
        """See `Store.log_events_for`."""
        self._store.log_events_for(collection, readers)

    def insert(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        """See `Store.insert`."""
        with self._watch("insert", collection):
            return self._store.insert(collection, id, content, form=form, events=events)

    def insert_all(self, collection: str, insertions: Sequence[Insertion]) -> tuple[Document, ...]:
        """See `Store.insert_all`."""
        with self._watch("insert_all", collection):
            return self._store.insert_all(collection, insertions)

    def insert_many(self, collection: str, documents: Sequence[Document]) -> tuple[bool, ...]:
        """See `Store.insert_many`."""
        with self._watch("insert_many", collection):
            return self._store.insert_many(collection, documents)

    def get(self, collection: str, id: str) -> Document:
        """See `Store.get`."""
        with self._watch("get", collection):
            return self._store.get(collection, id)

    def replace(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        version: int,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        """See `Store.replace`."""
        with self._watch("replace", collection):
            return self._store.replace(
                collection, id, content, version=version, form=form, events=events
            )

    def delete(
        self, collection: str, id: str, *, version: int, events: Sequence[bytes] = ()
    ) -> None:
        """See `Store.delete`."""
        with self._watch("delete", collection):
            self._store.delete(collection, id, version=version, events=events)

    def batch(self) -> AbstractContextManager[None]:
        """See `Store.batch`."""
        return self._store.batch()

    def group(self) -> Group | None:
        """See `Store.group`."""
        return self._store.group()

    def find(self, collection: str, query: Query) -> Page:
        """See `Store.find`."""
        begun = perf_counter()
        try:
            with self._watch("find", collection):
                return self._store.find(collection, query)
        finally:
            took = perf_counter() - begun
            if 0 < self._slow_seconds < took:
                self._report_slow(collection, query, took)

    def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """See `Store.events`."""
        with self._watch("events", ""):
            return self._store.events(after, limit)

    def last_event(self, *, collect: bool = True) -> int:
        """See `Store.last_event`."""
        return self._store.last_event(collect=collect)

    def watch_events(self, seen: Callable[[], object]) -> EventWatch | None:
        """See `Store.watch_events`."""
        return self._store.watch_events(seen)

    def prune_events(self, before: datetime, *, through: int | None = None) -> int:
        """See `Store.prune_events`."""
        with self._watch("prune_events", ""):
            return self._store.prune_events(before, through=through)

    def collections(self) -> frozenset[str]:
        """See `Store.collections`."""
        return self._store.collections()

    def indexes(self, collection: str) -> frozenset[str]:
        """See `Store.indexes`."""
        return self._store.indexes(collection)

    def index_builds(self, collection: str) -> Mapping[str, float | None]:
        """See `Store.index_builds`."""
        return self._store.index_builds(collection)

    def ping(self) -> None:
        """See `Store.ping`."""
        self._store.ping()

    def check_write(self, seconds: float) -> None:
        """See `Store.check_write`."""
        self._store.check_write(seconds)

    def close(self) -> None:
        """See `Store.close`."""
        self._store.close()

    def _report_slow(self, collection: str, query: Query, seconds: float) -> None:
        """Log a slow query, one of each shape in a minute."""
        shape = shape_of(query)
        suppressed = self._slow.admit(collection, shape)
        if suppressed is not None:
            log_event(
                logging.WARNING,
                LogEvent.QUERY_SLOW,
                logger="tmf683.store",
                collection=collection,
                query=shape,
                seconds=round(seconds, 3),
                suppressed=suppressed,
            )

    def _watch(self, method: str, collection: str) -> AbstractContextManager[object]:
        span = self._span(method, collection) if self._span is not None else None
        return _Watch(self._metrics, method, span)
