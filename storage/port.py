"""The storage port: what the server asks of a document store.

This is the specification of every adapter; `tests/storage/contract.py` is its proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from storage import json
from storage.projection import select, selection_of
from storage.query import Path, Position, Query


class Document(NamedTuple):
    """One stored document; a named tuple, which is quick to make: a list has many.

    `content` is a JSON object in UTF-8, returned byte for byte as it was written. `version` starts
    at 1 and grows by one with every replacement. `form` says, in the writer's words, which
    vocabulary the content is written in; empty when the writer did not say.
    """

    id: str
    version: int
    content: bytes
    form: str = ""

    def selected(self, paths: tuple[Path, ...]) -> Document:
        """Return the document with the values at these paths alone; all of it for no paths."""
        if not paths:
            return self
        part = select(selection_of(paths), json.loads(self.content))
        return self._replace(content=json.dumps(part))


@dataclass(frozen=True, slots=True)
class Insertion:
    """A document to be added at version 1, with the events that this causes."""

    id: str
    content: bytes
    form: str = ""
    events: tuple[bytes, ...] = ()


class Page(NamedTuple):
    """The documents of a query's window, and how many match the query in all.

    `total` is None when the query did not ask for it; `end` is None when nothing follows.
    """

    documents: tuple[Document, ...]
    total: int | None
    end: Position | None


@dataclass(frozen=True, slots=True)
class Index:
    """Paths worth an index together, in this order.

    `many` says that an array lies on the path (there is only one then); the paths in `instants`
    hold date-times, and are indexed by the instant.
    """

    paths: tuple[Path, ...]
    many: bool = False
    instants: frozenset[Path] = frozenset()

    @property
    def name(self) -> str:
        """The index in one word, which no different index has: `status,creationDate@time`."""
        words = [".".join(path) + ("@time" if path in self.instants else "") for path in self.paths]
        return ",".join(words) + ("[]" if self.many else "")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a write caused, as the log of events keeps it.

    `number` grows from event to event, in the order of the writes to each document, and is never
    given twice. `content` is the writer's, a JSON object in UTF-8.
    """

    number: int
    content: bytes


@dataclass(frozen=True, slots=True)
class EventReaders:
    """Who reads the events of a collection: one document for each reader.

    These are the documents of `collection` whose ids begin with none of the prefixes in `without`,
    which are readers of something else.
    """

    collection: str
    without: tuple[str, ...] = ()

    def ranges(self) -> tuple[tuple[str, str | None], ...]:
        """Return the ranges of ids that readers have: from the first, to before the second."""
        found: list[tuple[str, str | None]] = []
        begin = ""
        for prefix in sorted(self.without):
            if begin < prefix:
                found.append((begin, prefix))
            begin = max(begin, prefix[:-1] + chr(ord(prefix[-1]) + 1))
        return (*found, (begin, None))


class Group(Protocol):
    """Writes that are made durable together (group commit); used by one thread at a time.

    `begin` without waiting, and the writes in between, take microseconds; `commit` waits for the
    disk. Until it has returned, nothing outside the group sees the writes. Every method raises
    `StoreError` when the database cannot serve; when `commit` does, none of the writes was kept.
    """

    def begin(self, *, wait: bool) -> bool:
        """Open the group; False when another is writing, and `wait` does not allow waiting for it.

        Raises:
            StoreBusy: the others did not come to an end.
        """

    def joined(self) -> AbstractContextManager[None]:
        """Make what this thread asks of the store a part of the group, once that has begun."""

    def commit(self) -> None:
        """Keep the writes, and end the group; it may begin again."""


class EventWatch(Protocol):
    """A store that tells of writes which may have caused events."""

    @property
    def is_open(self) -> bool:
        """Whether the store tells of them now; else whoever reads the log has to look."""

    def close(self) -> None:
        """Tell no more."""


class Documents(Protocol):
    """Documents in named collections: what one request needs of a store.

    Writes take the events they cause, and keep them with the document in one atomic step.
    """

    def insert(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        """Add a document at version 1.

        Raises:
            DocumentExists: the id is taken.
        """

    def insert_all(self, collection: str, insertions: Sequence[Insertion]) -> tuple[Document, ...]:
        """Add documents, all of them or none.

        A store without transactions over several documents looks for ids that are taken before it
        adds the first one, and adds them one after the other: when it cannot serve any more, those
        that were added stay.

        Raises:
            DocumentExists: the id of one is taken, or comes twice.
        """

    def get(self, collection: str, id: str) -> Document:
        """Return the document.

        Raises:
            DocumentNotFound: there is none of that id.
        """

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
        """Replace the document if it is still at `version`; one atomic step.

        Raises:
            DocumentNotFound: there is none of that id.
            VersionConflict: it has another version by now.
        """

    def delete(
        self, collection: str, id: str, *, version: int, events: Sequence[bytes] = ()
    ) -> None:
        """Remove the document if it is still at `version`; one atomic step.

        Raises:
            DocumentNotFound: there is none of that id.
            VersionConflict: it has another version by now.
        """

    def find(self, collection: str, query: Query) -> Page:
        """Return the window of the documents that match.

        Raises:
            UnsupportedQuery: the store cannot express the query.
            QueryTooSlow: it used up the time a query may take.
        """


class Store(Documents, Protocol):
    """Documents in named collections, safe to share between threads and processes.

    A method that returns has done its work durably. Every method raises `StoreError` (or its
    `StoreBusy`) when the database cannot serve.
    """

    reads_without_io_wait: bool
    """Whether reading by key takes microseconds: no network, no waiting for writers."""

    @property
    def single_process(self) -> bool:
        """Whether only one process may write to it."""

    def prepare(self, collection: str, indexes: Iterable[Index]) -> None:
        """Make the collection and its indexes; quick when they are there, never drops one."""

    def log_events_for(self, collection: str, readers: EventReaders) -> None:
        """Have writes to a collection log their events only while somebody reads them.

        The events of a write that begins after the document of a reader was stored are logged.
        """

    def insert_many(self, collection: str, documents: Sequence[Document]) -> tuple[bool, ...]:
        """Add documents at version 1, whatever their own versions are, without events.

        Return of each whether it was added: one whose id is taken is left out, and nothing happens
        to the present one. Each is added in an atomic step; when an error is raised, some may have
        been added.

        Raises:
            DocumentTooLarge: the store cannot keep one of them.
        """

    def batch(self) -> AbstractContextManager[None]:
        """Make this thread's writes inside durable together, when the context ends.

        Until then nothing else sees them. An error on leaving means that none of them was kept.
        A store for which waiting together gains nothing makes each durable by itself.
        """

    def group(self) -> Group | None:
        """Return what makes writes durable together for whoever may not wait while they are made.

        None for a store whose writes gain nothing by it.
        """

    def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """Return the oldest events with greater numbers, in their order.

        What is returned is complete: no event with a smaller number can come later.
        """

    def last_event(self, *, collect: bool = True) -> int:
        """Return the number of the newest event, 0 when there has been none.

        Where writes keep their events with their documents at first, the events of finished writes
        are moved into the log before; without `collect` the log is only looked at.
        """

    def watch_events(self, seen: Callable[[], object]) -> EventWatch | None:
        """Have `seen` called, from any thread, soon after writes that may have caused events.

        None for a store that tells nobody: asking for its last event costs little.
        """

    def prune_events(self, before: datetime, *, through: int | None = None) -> int:
        """Remove the events logged before an instant, and return how many those were.

        With `through`, those with greater numbers stay.
        The newest event stays: who reads on from before it sees that others were there.
        """

    def collections(self) -> frozenset[str]:
        """Return the names of the collections that hold documents."""

    def indexes(self, collection: str) -> frozenset[str]:
        """Return the names of the indexes the collection has."""

    def index_builds(self, collection: str) -> Mapping[str, float | None]:
        """Return the indexes being built, and what part of each is done; None where unknown."""

    def ping(self) -> None:
        """Return when the store can serve.

        Raises:
            StoreError: it cannot.
        """

    def check_write(self, seconds: float) -> None:
        """Make a small durable write, unless any process made one within so many seconds.

        Raises:
            StoreBusy, StoreError, StoreFull, StoreReadOnly: nothing can be written.
        """

    def close(self) -> None:
        """Let go of every resource; the store is not used again."""
