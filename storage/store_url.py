"""From a store URL to the adapter that serves it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from storage.errors import StoreError, StoreUrlError
from storage.port import Store
from storage.sqlite import Durability, SqliteStore


def open_store(
    url: str,
    *,
    durability: Durability = "full",
    busy_seconds: float = 5.0,
    query_seconds: float = 5.0,
    make: bool = True,
) -> Store:
    """Open the store a URL names.

    `memory:` keeps documents in this process only; `sqlite:///relative.db` and
    `sqlite:////absolute.db` are files, made with their folder when absent (unless `make` is
    false); `mongodb://…` and `mongodb+srv://…` are MongoDB's own URLs, every option included.
    `durability` says whether a write waits for the disk ("full") or may be lost with the machine's
    power ("normal"); `busy_seconds` is how long to wait for a store that something else holds, and
    `query_seconds` how long one query may take.

    Raises:
        StoreUrlError: the URL has no adapter or the wrong form.
        StoreError: the store is there but cannot be opened.
    """
    if is_private(url):
        if not make:
            raise StoreError(f"store {url} ends with its process")
        return SqliteStore(
            None, durability=durability, busy_seconds=busy_seconds, query_seconds=query_seconds
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise StoreUrlError(f"{url}: not a URL") from None
    if parts.scheme == "sqlite":
        if parts.netloc or len(parts.path) < 2 or parts.query or parts.fragment:
            raise StoreUrlError(
                f"{url}: write sqlite:///relative.db or sqlite:////absolute.db, nothing else"
            )
        file = Path(parts.path[1:])
        if not make and not file.exists():
            raise StoreError(f"store {file} does not exist")
        return SqliteStore(
            file,
            durability=durability,
            busy_seconds=busy_seconds,
            query_seconds=query_seconds,
        )
    if parts.scheme in ("mongodb", "mongodb+srv"):
        from storage.mongo import MongoStore  # the driver costs start-up time

        return MongoStore(url, query_seconds=query_seconds, patience_seconds=busy_seconds)
    raise StoreUrlError(f"{url}: no such store; use sqlite:///file.db, memory: or mongodb://…")


def is_private(url: str) -> bool:
    """Whether the store lives in one process, so that several workers would not share it."""
    return url == "memory:"
