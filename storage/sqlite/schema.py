"""The tables, their versions, and the indexes that hints ask for.

Documents lie in one table, in an envelope of columns beside their content, so no attribute can
collide with ours. A hinted path without arrays becomes an index on an expression; one through
arrays becomes rows of `element`, kept by triggers so that every writer, also one that does not
know the hint, keeps them right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from storage.errors import StoreError
from storage.port import Index
from storage.sqlite import paths
from storage.sqlite.connections import transaction
from storage.sqlite.ordering import key_of

MINIMUM_SQLITE = (3, 38, 0)

MIGRATIONS = (
    """
    CREATE TABLE collection (
        name TEXT PRIMARY KEY,
        documents INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE document (
        seq INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        content TEXT NOT NULL,
        UNIQUE (collection, id)
    ) STRICT;
    CREATE INDEX document_newest ON document (collection);
    CREATE TRIGGER document_added AFTER INSERT ON document BEGIN
        UPDATE collection SET documents = documents + 1 WHERE name = NEW.collection;
    END;
    CREATE TRIGGER document_removed AFTER DELETE ON document BEGIN
        UPDATE collection SET documents = documents - 1 WHERE name = OLD.collection;
    END;
    CREATE TABLE hint (
        hint INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        name TEXT NOT NULL,
        UNIQUE (collection, name)
    ) STRICT;
    CREATE TABLE element (
        hint INTEGER NOT NULL,
        value ANY NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (hint, value, seq)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE document ADD COLUMN form TEXT NOT NULL DEFAULT '';
    CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        content TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_by_time ON event (at);
    """,
    """
    -- Instants are read more strictly: their indexes are made anew.
    DELETE FROM hint WHERE name LIKE '%@time%' AND name NOT LIKE '%[]';
    """,
)
"""The statements that lead from each schema version to the next; only ever appended to."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to the newest version; several processes may try at once.

    Raises:
        StoreError: the file belongs to a newer release, or SQLite is too old.
    """
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        needed = ".".join(map(str, MINIMUM_SQLITE))
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; {needed} is needed")
    if _version(connection) == len(MIGRATIONS):
        return
    with transaction(connection):
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the store has schema version {version}, this release knows {len(MIGRATIONS)}:"
                " it was written by a newer release"
            )
        for script in MIGRATIONS[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def add_collection(connection: sqlite3.Connection, name: str, indexes: Iterable[Index]) -> None:
    """Register a collection and build those of its indexes that are not there."""
    if connection.execute("SELECT 1 FROM collection WHERE name = ?", (name,)).fetchone() is None:
        connection.execute("INSERT OR IGNORE INTO collection VALUES (?, 0)", (name,))
    known = read_hints(connection, name)
    for index in indexes:
        if index.name not in known:
            with transaction(connection):
                _add_index(connection, name, index)


def read_hints(connection: sqlite3.Connection, collection: str) -> dict[str, int]:
    """Return the names of the indexes a collection has, each with its number."""
    rows = connection.execute(
        "SELECT name, hint FROM hint WHERE collection = ?", (collection,)
    ).fetchall()
    return {name.decode(): hint for name, hint in rows}


def _add_index(connection: sqlite3.Connection, collection: str, index: Index) -> None:
    added = connection.execute(
        "INSERT OR IGNORE INTO hint (collection, name) VALUES (?, ?)", (collection, index.name)
    )
    if not added.rowcount:
        return  # another process was quicker
    hint = added.lastrowid
    here = paths.literal(collection)
    if not index.many:
        keys = [key_of(path, instant=path in index.instants) for path in index.paths]
        _create_index(connection, f"document_by_{index.name}", ["collection", *keys])
        return
    (path,) = index.paths
    add = (
        f"INSERT OR IGNORE INTO element SELECT {hint}, v.atom, {{seq}} FROM {{source}}"
        " WHERE {condition} v.type IN ('text', 'integer', 'real');"
    )
    added_rows = add.format(seq="NEW.seq", source=paths.values(path, "NEW.content"), condition="")
    removed_rows = (
        f"DELETE FROM element WHERE hint = {hint} AND seq = OLD.seq AND value IN"
        f" (SELECT v.atom FROM {paths.values(path, 'OLD.content')}"
        " WHERE v.type IN ('text', 'integer', 'real'));"
    )
    for event, row, statements in (
        ("INSERT", "NEW", added_rows),
        ("UPDATE OF content", "NEW", removed_rows + added_rows),
        ("DELETE", "OLD", removed_rows),
    ):
        connection.execute(
            f"CREATE TRIGGER element_{hint}_{event[:6].lower()} AFTER {event} ON document"
            f" WHEN {row}.collection = {here} BEGIN {statements} END"
        )
    connection.execute(
        add.format(
            seq="seq",
            source=f"document, {paths.values(path)}",
            condition=f"collection = {here} AND",
        )
    )


def _create_index(connection: sqlite3.Connection, name: str, keys: list[str]) -> None:
    """Make an index of all collections, in place of one that another release made of other keys."""
    quoted = '"' + name.replace('"', '""') + '"'
    statement = f"CREATE INDEX {quoted} ON document ({', '.join(keys)})"
    there = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    if there is not None and there[0].decode() == statement:
        return
    connection.execute(f"DROP INDEX IF EXISTS {quoted}")
    connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> list[str]:
    statements, text = [], ""
    for line in script.splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            statements.append(text)
            text = ""
    return statements
