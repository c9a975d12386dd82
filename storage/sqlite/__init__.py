"""The embedded store: one SQLite file (or memory), no server."""

from storage.sqlite.connections import Durability
from storage.sqlite.store import SqliteStore

__all__ = ["Durability", "SqliteStore"]
