"""SQLite's failures as the port's errors."""

from __future__ import annotations

import os
import resource
import sqlite3
from pathlib import Path

from storage.errors import (
    QueryTooSlow,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreReadOnly,
    UnsupportedQuery,
)

_EXPLANATIONS = (
    ("SQLITE_READONLY", StoreReadOnly, "is read-only for this process"),
    ("SQLITE_FULL", StoreFull, "has no room left: the disk, or its quota, is full"),
    ("SQLITE_CORRUPT", StoreError, "is corrupt; restore it from a backup"),
    ("SQLITE_NOTADB", StoreError, "is not an SQLite database"),
    (
        "SQLITE_CANTOPEN",
        StoreError,
        "cannot be opened; do the folder and its permissions exist?",
    ),
    ("SQLITE_IOERR", StoreError, "cannot be read or written: the disk reports an error"),
    ("SQLITE_PERM", StoreError, "may not be used by this process"),
)

_WRITING = ("SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE")
"""Failures of the disk that have the causes below, which SQLite does not tell apart."""

_NEAR = 1024 * 1024
"""Bytes that one write may add to a file."""

_TOO_COMPLEX = ("parser stack overflow", "Expression tree is too large", "at most 64 tables")
"""How the messages begin that SQLite has for statements beyond its bounds."""


def port_error(
    error: sqlite3.DatabaseError, file: Path | None, busy_seconds: float
) -> StoreError | UnsupportedQuery:
    """Return the port's error for a failure of SQLite on a file, or on memory."""
    if str(error).startswith(_TOO_COMPLEX):
        return UnsupportedQuery("the query is nested too deeply, or has too many conditions")
    name = getattr(error, "sqlite_errorname", None) or ""
    where = f"store {file or 'memory:'}"
    if name == "SQLITE_INTERRUPT":
        return QueryTooSlow("the query took longer than queries may")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusy(f"{where} is locked by another process (waited {busy_seconds:g} s)")
    if name.startswith(_WRITING) and file is not None:
        if _is_read_only(file):
            return StoreReadOnly(f"{where} is on a file system that is read-only")
        if (limit := _reached_limit(file)) is not None:
            return StoreFull(
                f"{where} has no room left: files of this process may have {limit} bytes"
                " (RLIMIT_FSIZE)"
            )
    for prefix, kind, explanation in _EXPLANATIONS:
        if name.startswith(prefix):
            return kind(f"{where} {explanation}")
    return StoreError(f"{where} failed: {error}")


def _is_read_only(file: Path) -> bool:
    try:
        return bool(os.statvfs(file.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _reached_limit(file: Path) -> int | None:
    """Return the limit on file sizes of this process, if one of the files has almost that size."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return None
    for suffix in ("", "-wal", "-shm"):
        try:
            size = file.with_name(file.name + suffix).stat().st_size
        except OSError:
            continue
        if size + _NEAR > limit:
            return limit
    return None
