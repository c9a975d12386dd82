"""The storage port on SQLite."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path as FilePath

from storage.errors import DocumentExists, DocumentNotFound, StoreError, VersionConflict
from storage.port import Document, Index, Page
from storage.query import Path, Query
from storage.sqlite import conditions, schema
from storage.sqlite.conditions import Indexed, Sql
from storage.sqlite.connections import Connections, Durability, commit

_LARGEST = 2**63 - 1


class SqliteStore:
    """`storage.port.Store` on one SQLite file, or on memory when `file` is None.

    Each write is one statement, atomic with the triggers it fires. Any number of threads and
    processes may share a file.
    """

    quick = True

    def __init__(
        self, file: FilePath | None, *, durability: Durability = "full", busy_seconds: float = 5.0
    ) -> None:
        if file is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"store {file}: no folder for it: {error.strerror}") from error
        self._connections = Connections(file, durability=durability, busy_seconds=busy_seconds)
        self._batches = _Batches()
        self._indexes: dict[str, Mapping[Path, Indexed]] = {}
        with self._connections.use() as connection:
            schema.migrate(connection)

    def prepare(self, collection: str, indexes: Iterable[Index]) -> None:
        """See `Store.prepare`."""
        with self._connections.use() as connection:
            schema.add_collection(connection, collection, indexes)
            self._indexes[collection] = {
                index.path: Indexed(hint if index.many else None)
                for index, hint in schema.read_hints(connection, collection).items()
            }

    def insert(self, collection: str, id: str, content: bytes) -> Document:
        """See `Store.insert`."""
        try:
            self._write(
                "INSERT INTO document (collection, id, version, content) VALUES (?, ?, 1, ?)",
                (collection, id, content.decode()),
            )
        except sqlite3.IntegrityError as error:
            raise DocumentExists(collection, id) from error
        return Document(id, 1, content)

    def get(self, collection: str, id: str) -> Document:
        """See `Store.get`."""
        with self._connections.use() as connection:
            row = connection.execute(
                "SELECT version, content FROM document WHERE collection = ? AND id = ?",
                (collection, id),
            ).fetchone()
        if row is None:
            raise DocumentNotFound(collection, id)
        return Document(id, row[0], row[1])

    def replace(self, collection: str, id: str, content: bytes, *, version: int) -> Document:
        """See `Store.replace`."""
        done = self._write(
            "UPDATE document SET version = version + 1, content = ?"
            " WHERE collection = ? AND id = ? AND version = ?",
            (content.decode(), collection, id, version),
        )
        if not done:
            self.get(collection, id)
            raise VersionConflict(collection, id, version)
        return Document(id, version + 1, content)

    def delete(self, collection: str, id: str) -> None:
        """See `Store.delete`."""
        done = self._write("DELETE FROM document WHERE collection = ? AND id = ?", (collection, id))
        if not done:
            raise DocumentNotFound(collection, id)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """See `Store.batch`."""
        with self._connections.use() as connection:
            self._batches.open = True
            try:
                yield
            finally:
                self._batches.open = False
                if connection.in_transaction:
                    commit(connection)

    def find(self, collection: str, query: Query) -> Page:
        """See `Store.find`."""
        where = Sql("1")
        if query.where is not None:
            where = conditions.condition(query.where, self._indexes.get(collection, {}))
        offset, limit = min(query.window.offset, _LARGEST), min(query.window.limit, _LARGEST)
        with self._connections.use() as connection:
            rows = connection.execute(
                "SELECT id, version, content FROM document"
                f" WHERE collection = ? AND ({where.text})"
                f" ORDER BY {conditions.order(query.sort)} LIMIT ? OFFSET ?",
                (collection, *where.values, limit, offset),
            ).fetchall()
            if len(rows) < limit and (rows or not offset):
                total = offset + len(rows)
            else:
                total = self._count(connection, collection, query, where)
        return Page(
            tuple(Document(id.decode(), version, text) for id, version, text in rows), total
        )

    def ping(self) -> None:
        """See `Store.ping`."""
        with self._connections.use() as connection:
            connection.execute("SELECT documents FROM collection LIMIT 1").fetchone()

    def close(self) -> None:
        """See `Store.close`."""
        self._connections.close()

    def _write(self, statement: str, values: tuple[str | int, ...]) -> int:
        with self._connections.use() as connection:
            if self._batches.open and not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            return connection.execute(statement, values).rowcount

    @staticmethod
    def _count(connection: sqlite3.Connection, collection: str, query: Query, where: Sql) -> int:
        if query.where is None:
            row = connection.execute(
                "SELECT documents FROM collection WHERE name = ?", (collection,)
            ).fetchone()
        else:
            row = connection.execute(
                f"SELECT count(*) FROM document WHERE collection = ? AND ({where.text})",
                (collection, *where.values),
            ).fetchone()
        return int(row[0]) if row else 0


class _Batches(threading.local):
    """Whether this thread is inside `batch`."""

    open = False
