"""The covering index of a collection: what most conditions ask of a document, without reading it.

A query starts from the rows that one condition selects, and tests them by the others. Here are the
values of all hinted attributes of a row in one place, some fifty bytes, where the document would
have to be looked up and its JSON parsed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from storage.port import Index
from storage.sqlite import paths
from storage.sqlite.conditions import Indexed, Sql
from storage.sqlite.ordering import key_of


@dataclass(frozen=True, slots=True)
class CoveringIndex:
    """The index of one collection; `keys` are the expressions of the attributes in it."""

    collection: str
    keys: tuple[str, ...]

    @classmethod
    def of(cls, collection: str, indexes: Iterable[Index]) -> CoveringIndex | None:
        """Return the index that goes with others; None where none of them leads through an array.

        Instants are not in it: they would make every change of a document slower.
        """
        indexes = tuple(indexes)
        if not any(each.many for each in indexes):
            return None
        keys = (
            key_of(path, instant=False)
            for each in indexes
            if not each.many
            for path in each.paths
            if path not in each.instants and path != ("id",)
        )
        return cls(collection, tuple(dict.fromkeys(keys)))

    @property
    def name(self) -> str:
        """The name as an SQL identifier."""
        return paths.identifier(self._name)

    @property
    def _name(self) -> str:
        return f"covering {self.collection}"

    @property
    def statement(self) -> str:
        """The statement that creates it."""
        columns = ", ".join(["seq", "form", *self.keys])
        within = paths.within(self.collection)  # queries say the same, or SQLite does not use it
        return f"CREATE INDEX {self.name} ON document ({columns}) WHERE {within}"

    def written(self) -> str:
        """Return `conditions.WRITTEN`, as this index has what conditions ask of a document."""
        within = paths.within(self.collection, "written.")
        return (
            f"document AS written INDEXED BY {self.name} ON written.seq = element.seq AND {within}"
        )

    def covers(self, part: Sql) -> bool:
        """Whether the index decides a condition."""
        return isinstance(part, Indexed) and part.key in self.keys

    def is_in(self, connection: sqlite3.Connection) -> bool:
        """Whether the database has the index, or one of more attributes, of another release."""
        row = connection.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (self._name,)
        ).fetchone()
        return row is not None and all(key in row[0].decode() for key in self.keys)
