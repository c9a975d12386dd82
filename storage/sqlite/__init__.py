"""The embedded store: one SQLite file (or memory), no server."""

from storage.sqlite.connections import Durability
from storage.sqlite.file_identity import FileIdentity, FileReplaced
from storage.sqlite.store import SqliteStore

__all__ = ["Durability", "FileIdentity", "FileReplaced", "SqliteStore"]
