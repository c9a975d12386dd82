"""The storage port on SQLite."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

from storage import json
from storage.errors import DocumentExists, DocumentNotFound, StoreError, VersionConflict
from storage.evaluation import holds
from storage.port import Document, Event, EventReaders, Index, Insertion, Page
from storage.query import Condition, Path, Position, Query
from storage.sqlite import conditions, ordering, paths, schema, writing
from storage.sqlite.access import Access, choose_access
from storage.sqlite.conditions import Listed, Sql, joined
from storage.sqlite.connections import Connections, Durability, commit, savepoint, transaction
from storage.sqlite.covering import CoveringIndex
from storage.sqlite.group import SqliteGroup
from storage.sqlite.time_limit import TimeLimit

_LARGEST = 2**63 - 1
_INSERT = "INSERT INTO document (collection, id, version, content, form) VALUES (?, ?, 1, ?, ?)"
_FORGOTTEN_AT_ONCE = 2000


class SqliteStore:
    """`storage.port.Store` on one SQLite file, or on memory when `file` is None.

    Each write is one statement, atomic with the triggers it fires. Any number of threads and
    processes may share a file.
    """

    reads_without_io_wait = True

    def __init__(
        self,
        file: FilePath | None,
        *,
        durability: Durability = "full",
        busy_seconds: float = 5.0,
        query_seconds: float = 5.0,
    ) -> None:
        if file is not None:
            try:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"store {file}: no folder for it: {error.strerror}") from error
        self.single_process = file is None
        self._connections = Connections(file, durability=durability, busy_seconds=busy_seconds)
        self._batches = _Batches()
        self._known: dict[str, _Known] = {}
        self._readers: dict[str, Sql] = {}
        self._query_seconds = query_seconds
        try:
            with self._connections.use() as connection:
                schema.migrate(connection)
        except BaseException:
            self._connections.close()
            raise

    def prepare(self, collection: str, indexes: Iterable[Index]) -> None:
        """See `Store.prepare`."""
        indexes = tuple(indexes)
        with self._connections.use() as connection:
            covering = schema.add_collection(
                connection, collection, indexes, seconds=self._connections.others_wait_seconds
            )
            hints = schema.read_hints(connection, collection)
        self._known[collection] = _Known.of(indexes, hints, covering)

    def collections(self) -> frozenset[str]:
        """See `Store.collections`."""
        with self._connections.use() as connection:
            rows = connection.execute("SELECT name FROM collection WHERE documents > 0").fetchall()
        return frozenset(bytes(name).decode() for (name,) in rows)

    def indexes(self, collection: str) -> frozenset[str]:
        """See `Store.indexes`."""
        with self._connections.use() as connection:
            return frozenset(schema.read_hints(connection, collection))

    def log_events_for(self, collection: str, readers: EventReaders) -> None:
        """See `Store.log_events_for`."""
        self._readers[collection] = _reader_in(readers)

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
        try:
            self._write(_INSERT, (collection, id, content.decode(), form), collection, events)
        except sqlite3.IntegrityError as error:
            raise DocumentExists(collection, id) from error
        return Document(id, 1, content, form)

    def insert_all(self, collection: str, insertions: Sequence[Insertion]) -> tuple[Document, ...]:
        """See `Store.insert_all`."""
        with self._connections.use() as connection:
            self._join_batch(connection)
            whole = savepoint if connection.in_transaction else transaction
            with whole(connection):
                return tuple(
                    [
                        self.insert(
                            collection, each.id, each.content, form=each.form, events=each.events
                        )
                        for each in insertions
                    ]
                )

    def insert_many(self, collection: str, documents: Sequence[Document]) -> tuple[bool, ...]:
        """See `Store.insert_many`; all are added in one transaction."""
        with self._connections.use() as connection:
            self._join_batch(connection)
            with nullcontext() if connection.in_transaction else transaction(connection):
                return tuple(
                    [
                        connection.execute(
                            f"{_INSERT} ON CONFLICT (collection, id) DO NOTHING",
                            (collection, each.id, each.content.decode(), each.form),
                        ).rowcount
                        == 1
                        for each in documents
                    ]
                )

    def get(self, collection: str, id: str) -> Document:
        """See `Store.get`."""
        with self._connections.use() as connection:
            row = connection.execute(
                "SELECT version, content, form FROM document WHERE collection = ? AND id = ?",
                (collection, id),
            ).fetchone()
        if row is None:
            raise DocumentNotFound(collection, id)
        return Document(id, row[0], row[1], row[2].decode())

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
        done = self._write(
            "UPDATE document SET version = version + 1, content = ?, form = ?"
            " WHERE collection = ? AND id = ? AND version = ?",
            (content.decode(), form, collection, id, version),
            collection,
            events,
        )
        if not done:
            self.get(collection, id)
            raise VersionConflict(collection, id, version)
        return Document(id, version + 1, content, form)

    def delete(
        self, collection: str, id: str, *, version: int, events: Sequence[bytes] = ()
    ) -> None:
        """See `Store.delete`."""
        done = self._write(
            "DELETE FROM document WHERE collection = ? AND id = ? AND version = ?",
            (collection, id, version),
            collection,
            events,
        )
        if not done:
            self.get(collection, id)
            raise VersionConflict(collection, id, version)

    def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """See `Store.events`."""
        with self._connections.use() as connection:
            rows = connection.execute(
                "SELECT number, content FROM event WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        return tuple(Event(number, content) for number, content in rows)

    def last_event(self, *, collect: bool = True) -> int:
        """See `Store.last_event`."""
        with self._connections.use() as connection:
            row = connection.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'event'"
            ).fetchone()
        return int(row[0]) if row else 0

    def watch_events(self, seen: Callable[[], object]) -> None:
        """See `Store.watch_events`; a look at the log takes microseconds."""
        return

    def prune_events(self, before: datetime, *, through: int | None = None) -> int:
        """See `Store.prune_events`."""
        last = _LARGEST if through is None else through
        forgotten, removed = 0, _FORGOTTEN_AT_ONCE
        with self._connections.use() as connection:
            while removed == _FORGOTTEN_AT_ONCE:  # in steps, between which others write
                removed = connection.execute(
                    "DELETE FROM event WHERE number IN"
                    " (SELECT number FROM event WHERE at < ?"
                    " AND number <= ? AND number < (SELECT max(number) FROM event)"
                    " ORDER BY at LIMIT ?)",
                    (conditions.milliseconds(before), last, _FORGOTTEN_AT_ONCE),
                ).rowcount
                forgotten += removed
        return forgotten

    @contextmanager
    def batch(self) -> Iterator[None]:
        """See `Store.batch`."""
        with self._connections.use() as connection:
            if not self._batches.known:
                # What a statement keeps to undo itself, of a few pages, needs no file.
                connection.execute("PRAGMA temp_store = MEMORY")
                self._batches.known = True
            self._batches.open = True
            try:
                yield
            finally:
                self._batches.open, self._batches.failure = False, None
                if connection.in_transaction:
                    commit(connection)
                    self._connections.bound_log(connection)

    def group(self) -> SqliteGroup | None:
        """See `Store.group`; an in-memory store has nothing to commit."""
        return None if self.single_process else SqliteGroup(self._connections)

    def find(self, collection: str, query: Query) -> Page:
        """See `Store.find`."""
        known = self._known.get(collection, _NOTHING_KNOWN)
        terms = ordering.terms(query.sort, known.scalars)
        parts: list[Sql] = []
        if query.where is not None:
            parts = known.conditions.parts(query.where)
        offset, limit = min(query.window.offset, _LARGEST), min(query.window.limit, _LARGEST - 1)
        if query.seconds is None:
            self._connections.wait_for_log(self._query_seconds)
        with self._connections.use() as connection, self._timed(connection, query.seconds):
            access = choose_access(
                connection,
                collection,
                parts,
                counts=query.count,
                newest=not query.sort,
                covering=known.covering,
            )
            start, total = access.where, None
            if query.after is not None:
                behind = ordering.behind(query.sort, terms, query.after, access.seq)
                start = joined(" AND ", "1", [start, behind])
            order = ordering.order(query.sort, terms)
            if parts or query.sort:
                # Numbers are sorted, not documents: those are read once it is known which.
                there = ordering.order(query.sort, terms, access.seq)
                if access.few and query.count and query.after is None:
                    numbers = access.numbers(start, there, -1, 0)
                    matching = connection.execute(numbers.text, numbers.values).fetchall()
                    total = len(matching)
                    numbers = _listed_numbers(matching[offset : offset + limit + 1])
                else:
                    numbers = access.numbers(start, there, limit + 1, offset)
                selected = Sql(f"seq IN ({numbers.text}) ORDER BY {order}", numbers.values)
            else:
                selected = Sql(
                    f"{start.text} ORDER BY {order} LIMIT ? OFFSET ?",
                    (*start.values, limit + 1, offset),
                )
            found = connection.execute(
                f"SELECT id, version, content, form, {ordering.position_columns(terms)}"
                f" FROM document WHERE {selected.text}",
                selected.values,
            )
            rows, more = _page_of(found, limit, query.most_bytes)
            if query.count and total is None:
                whole = not more and query.after is None and (rows or not offset)
                total = (
                    offset + len(rows)
                    if whole
                    else self._count(connection, collection, access, parts)
                )
        end = _position(rows[-1][4:]) if more and rows else None
        documents = [Document(row[0].decode(), row[1], row[2], row[3].decode()) for row in rows]
        if query.where is not None:
            number = len(documents)
            documents = [
                each
                for each in documents
                if b"\\u0000" not in each.content or _is_meant(each, query.where)
            ]
            if total is not None:
                total -= number - len(documents)
        if query.select:
            documents = [each.selected(query.select) for each in documents]
        return Page(tuple(documents), total, end)

    def index_builds(self, collection: str) -> Mapping[str, float | None]:
        """See `Store.index_builds`."""
        return {}

    def ping(self) -> None:
        """See `Store.ping`."""
        self._connections.check_file()
        with self._connections.use() as connection:
            connection.execute("SELECT documents FROM collection LIMIT 1").fetchone()

    def check_write(self, seconds: float) -> None:
        """See `Store.check_write`."""
        self._connections.check_file()
        with self._connections.use() as connection:
            writing.check_write(connection, seconds)

    def close(self) -> None:
        """See `Store.close`."""
        self._connections.close()

    def _write(
        self,
        statement: str,
        values: tuple[str | int, ...],
        collection: str,
        events: Sequence[bytes],
    ) -> int:
        """Change one document, and log the events of the change in the same transaction."""
        with self._connections.use() as connection:
            self._join_batch(connection)
            if not events:
                return connection.execute(statement, values).rowcount
            with nullcontext() if connection.in_transaction else transaction(connection):
                done = connection.execute(statement, values).rowcount
                if done and self._is_read(connection, collection):
                    at = round(time.time() * 1000)
                    connection.executemany(
                        "INSERT INTO event (at, content) VALUES (?, ?)",
                        [(at, content.decode()) for content in events],
                    )
                return done

    def _join_batch(self, connection: sqlite3.Connection) -> None:
        """Begin the transaction of the batch that this thread is in, if it has not begun."""
        if connection.in_transaction:
            return
        self._connections.check_file()
        if self._batches.open:
            self._begin(connection)

    def _is_read(self, connection: sqlite3.Connection, collection: str) -> bool:
        """Whether events of a collection are logged, as of the open transaction."""
        reader = self._readers.get(collection)
        if reader is None:
            return True
        (found,) = connection.execute(reader.text, reader.values).fetchone()
        return bool(found)

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Open the batch's transaction; where that failed, its other writes need not wait again."""
        if self._batches.failure is not None:
            raise self._batches.failure
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            self._batches.failure = error
            raise

    def _timed(
        self, connection: sqlite3.Connection, seconds: float | None
    ) -> AbstractContextManager[None]:
        return TimeLimit(connection, seconds, self._query_seconds)

    @staticmethod
    def _count(
        connection: sqlite3.Connection, collection: str, access: Access, parts: list[Sql]
    ) -> int:
        """Count what matches, by reading as little as the condition allows."""
        match parts:
            case []:
                counting = Sql("SELECT documents FROM collection WHERE name = ?", (collection,))
            case [Listed(rows=rows) as listed]:
                counting = Sql(f"SELECT count(DISTINCT seq) FROM ({rows})", listed.values)
            case _:
                counting = access.count
        row = connection.execute(counting.text, counting.values).fetchone()
        return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class _Known:
    """What the store knows of a collection's paths."""

    scalars: frozenset[Path]
    conditions: conditions.CompiledConditions
    covering: CoveringIndex | None = None

    @classmethod
    def of(
        cls,
        indexes: Iterable[Index] = (),
        hints: Mapping[str, int] | None = None,
        covering: CoveringIndex | None = None,
    ) -> _Known:
        """Return what indexes tell; `hints` are the numbers of those that exist, by name."""
        numbers = hints or {}
        singles = [each for each in indexes if not each.many]
        scalars = frozenset(path for each in singles for path in each.paths)
        indexed = frozenset(
            (each.paths[0], each.paths[0] in each.instants)
            for each in singles
            if each.name in numbers
        )
        listed = {each.paths[0]: numbers[each.name] for each in indexes if each.many}
        written = covering.written() if covering else conditions.WRITTEN
        compiled = conditions.CompiledConditions(scalars, listed, indexed, written)
        return cls(scalars, compiled, covering)


_NOTHING_KNOWN = _Known.of()


def _listed_numbers(rows: Sequence[tuple[int]]) -> Sql:
    """Return SQL that selects the numbers in some rows, with the same text for all of them."""
    numbers = ",".join([str(number) for (number,) in rows])
    return Sql("SELECT value FROM json_each(?)", (f"[{numbers}]",))


def _reader_in(readers: EventReaders) -> Sql:
    """Return the query that says whether there is a reader."""
    parts, values = [], []
    for begin, end in readers.ranges():
        upper = "" if end is None else " AND id < ?"
        within = paths.within(readers.collection)
        parts.append(f"EXISTS (SELECT 1 FROM document WHERE {within} AND id >= ?{upper})")
        values += [begin, *([] if end is None else [end])]
    return Sql(f"SELECT {' OR '.join(parts)}", tuple(values))


def _page_of(
    found: Iterable[tuple[Any, ...]], limit: int, most_bytes: int | None
) -> tuple[list[tuple[Any, ...]], bool]:
    """Return the rows of a page, and whether more follow; the third value of each is its content.

    One more than `limit` are found at most. They are read only as far as they belong to the page.
    """
    rows: list[tuple[Any, ...]] = []
    left = _LARGEST if most_bytes is None else most_bytes
    for row in found:
        left -= len(row[2])
        if left < 0 and rows:
            return rows, True
        rows.append(row)
    if len(rows) > limit:
        rows.pop()
        return rows, True
    return rows, False


def _is_meant(document: Document, where: Condition) -> bool:
    """Whether a document with U+0000 that SQLite found meets the condition when read whole.

    SQLite before 3.45 cuts text at U+0000, which earlier releases stored, and takes what comes
    before for the whole.
    """
    return holds(where, json.loads(document.content), document.id, form=document.form)


def _position(columns: Sequence[Any]) -> Position:
    return tuple(value.decode() if isinstance(value, bytes) else value for value in columns)


class _Batches(threading.local):
    """Whether this thread is inside `batch`, and why its transaction could not begin."""

    open = False
    known = False
    failure: sqlite3.OperationalError | None = None
