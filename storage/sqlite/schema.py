"""The tables, their versions, and the indexes that hints ask for.

Documents lie in one table, in an envelope of columns beside their content, so no attribute can
collide with ours. A hinted path without arrays becomes an index on an expression; one through
arrays becomes rows of `element`, kept by triggers so that every writer, also one that does not
know the hint, keeps them right.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from storage.errors import StoreError
from storage.port import Index
from storage.query import Path
from storage.sqlite import paths
from storage.sqlite.connections import transaction
from storage.sqlite.covering import CoveringIndex
from storage.sqlite.ordering import key_of

_log = logging.getLogger(__name__)

_UNFINISHED = " (unfinished)"
"""How the name of an index ends that is being built."""
_STEP_DOCUMENTS = 2_000
_STEP_SECONDS = 0.5
"""The next step has half as many documents when one took longer."""
_PAUSE_SECONDS = 0.12
_INSTRUCTIONS_BETWEEN_LOOKS = 10_000

MINIMUM_SQLITE = (3, 38, 0)

_IS_LISTED = "v.type IN ('text', 'integer', 'real')"
"""The values that have rows in the table of elements."""

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


def add_collection(
    connection: sqlite3.Connection,
    name: str,
    indexes: Iterable[Index],
    *,
    seconds: float | None = None,
) -> CoveringIndex | None:
    """Register a collection and build those of its indexes that are not there.

    `seconds` is how long others may wait for one that is built in one statement: what takes longer
    is left out. None builds them all. Return the covering index, if the database has it then.
    """
    if connection.execute("SELECT 1 FROM collection WHERE name = ?", (name,)).fetchone() is None:
        connection.execute("INSERT OR IGNORE INTO collection VALUES (?, 0)", (name,))
    known, indexes = read_hints(connection, name), tuple(indexes)
    for index in indexes:
        if index.name in known:
            if index.many:
                _renew_triggers(connection, name, known[index.name], index.paths[0])
            continue
        if index.many:
            _build_elements(connection, name, index)
        else:
            with _limited(connection, f"index {index.name} of {name}", seconds):
                _add_index(connection, name, index)
        _let_others_write(connection, name)
    covering = CoveringIndex.of(name, indexes)
    if covering is None or covering.is_in(connection):
        return covering
    with _limited(connection, f"index {covering.name}", seconds):
        _add_covering(connection, covering)
    _let_others_write(connection, name)
    return covering if covering.is_in(connection) else None


def read_hints(connection: sqlite3.Connection, collection: str) -> dict[str, int]:
    """Return the names of the indexes a collection has, each with its number."""
    rows = connection.execute(
        "SELECT name, hint FROM hint WHERE collection = ?", (collection,)
    ).fetchall()
    names = ((name.decode(), hint) for name, hint in rows)
    return {name: hint for name, hint in names if not name.endswith(_UNFINISHED)}


@contextmanager
def _limited(connection: sqlite3.Connection, index: str, seconds: float | None) -> Iterator[None]:
    """Build an index on expressions inside, while which nobody can write, if time allows."""
    if seconds is not None:
        latest = time.monotonic() + seconds
        connection.set_progress_handler(
            lambda: time.monotonic() > latest, _INSTRUCTIONS_BETWEEN_LOOKS
        )
    try:
        with transaction(connection):
            yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        _log.warning(
            "%s is not built, since other processes that have the store open would wait for it"
            " longer than they may: the next start builds it, once they have ended",
            index,
        )
    finally:
        if seconds is not None:
            connection.set_progress_handler(None, 0)


def _add_index(connection: sqlite3.Connection, collection: str, index: Index) -> None:
    added = connection.execute(
        "INSERT OR IGNORE INTO hint (collection, name) VALUES (?, ?)", (collection, index.name)
    )
    if not added.rowcount:
        return  # another process was quicker
    keys = [key_of(path, instant=path in index.instants) for path in index.paths]
    _create_index(connection, f"document_by_{index.name}", ["collection", *keys])


def _add_covering(connection: sqlite3.Connection, covering: CoveringIndex) -> None:
    """Create a covering index, in place of one that lacks some of its attributes."""
    if covering.is_in(connection):
        return  # another process was quicker
    connection.execute(f"DROP INDEX IF EXISTS {covering.name}")
    connection.execute(covering.statement)


def _build_elements(connection: sqlite3.Connection, collection: str, index: Index) -> None:
    """Build an index through arrays in steps, between which others write.

    Its triggers come first, so that what others write meanwhile has its rows. Until it is whole it
    has another name, which no query looks for; whoever finds it so builds it to its end.
    """
    (path,) = index.paths
    unfinished = index.name + _UNFINISHED
    with transaction(connection):
        if index.name in read_hints(connection, collection):
            return  # another process was quicker
        connection.execute(
            "INSERT OR IGNORE INTO hint (collection, name) VALUES (?, ?)", (collection, unfinished)
        )
        (hint,) = connection.execute(
            "SELECT hint FROM hint WHERE collection = ? AND name = ?", (collection, unfinished)
        ).fetchone()
        for name, statement in _triggers(collection, hint, path).items():
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
            connection.execute(statement)
    source = f"document, {paths.values(path)}"
    here = paths.literal(collection)
    begin, number = -1, _STEP_DOCUMENTS
    while (last := _last_of_step(connection, collection, begin, number)) is not None:
        within = f"collection = {here} AND seq > {begin} AND seq <= {last}"
        begun = time.monotonic()
        connection.execute(_adding(hint, "seq", source, within))
        slow = time.monotonic() - begun > _STEP_SECONDS
        begin, number = last, max(1, number // 2) if slow else number
        _let_others_write(connection, collection)
    connection.execute("UPDATE hint SET name = ? WHERE hint = ?", (index.name, hint))


def _last_of_step(
    connection: sqlite3.Connection, collection: str, begin: int, number: int
) -> int | None:
    """Return the number of the last document of a step that begins behind one; None at the end."""
    (last,) = connection.execute(
        "SELECT max(seq) FROM (SELECT seq FROM document INDEXED BY document_newest"
        " WHERE collection = ? AND seq > ? ORDER BY seq LIMIT ?)",
        (collection, begin, number),
    ).fetchone()
    return None if last is None else int(last)


def _let_others_write(connection: sqlite3.Connection, collection: str) -> None:
    """Pause where others may wait: SQLite looks for the end of a write every 0.1 s at most."""
    (found,) = connection.execute(
        "SELECT documents FROM collection WHERE name = ?", (collection,)
    ).fetchone()
    if found > _STEP_DOCUMENTS:
        time.sleep(_PAUSE_SECONDS)


def _renew_triggers(connection: sqlite3.Connection, collection: str, hint: int, path: Path) -> None:
    """Replace the triggers that another release made of other statements."""
    wanted = _triggers(collection, hint, path)
    there = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name GLOB ?",
        (f"element_{hint}_*",),
    ).fetchall()
    if {name.decode(): text.decode() for name, text in there} == wanted:
        return
    with transaction(connection):
        for name, statement in wanted.items():
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
            connection.execute(statement)


def _triggers(collection: str, hint: int, path: Path) -> dict[str, str]:
    """Return the triggers that keep the rows of a path through arrays, by name.

    A change that leaves the path's first attribute as it was changes no row.
    """
    here = paths.literal(collection)
    old, new = (paths.child(f"{row}.content", path[0]) for row in ("OLD", "NEW"))
    added = _adding(hint, "NEW.seq", paths.scalars(path, "NEW.content"))
    removed = (
        f"DELETE FROM element WHERE hint = {hint} AND seq = OLD.seq AND value IN"
        f" (SELECT v.atom FROM {paths.scalars(path, 'OLD.content')} WHERE {_IS_LISTED})"
    )
    timings = {
        "insert": ("INSERT", f"NEW.collection = {here} AND {new} IS NOT NULL", f"{added};"),
        "update": (
            "UPDATE OF content",
            f"NEW.collection = {here} AND {old} IS NOT {new}",
            f"{removed}; {added};",
        ),
        "delete": ("DELETE", f"OLD.collection = {here} AND {old} IS NOT NULL", f"{removed};"),
    }
    return {
        f"element_{hint}_{name}": f"CREATE TRIGGER element_{hint}_{name} AFTER {event}"
        f" ON document WHEN {condition} BEGIN {statements} END"
        for name, (event, condition, statements) in timings.items()
    }


def _adding(hint: int, seq: str, source: str, condition: str = "1") -> str:
    return (
        f"INSERT OR IGNORE INTO element SELECT {hint}, v.atom, {seq} FROM {source}"
        f" WHERE {condition} AND {_IS_LISTED}"
    )


def _create_index(connection: sqlite3.Connection, name: str, keys: list[str]) -> None:
    """Make an index of all collections, in place of one that another release made of other keys."""
    quoted = paths.identifier(name)
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
