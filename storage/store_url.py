"""Store URLs: finds and opens the adapter that a URL names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from storage.diagnosis import Check
from storage.errors import StoreError, StoreUrlError
from storage.port import Index, Store
from storage.sqlite import Durability, FileIdentity, SqliteStore, unclean_end
from storage.sqlite.diagnosis import diagnose as diagnose_sqlite

_FORMS = "use sqlite:///file.db, memory: or mongodb://host/database"


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
    check_store_url(url)
    if is_private(url):
        if not make:
            raise StoreError(f"store {url} ends with its process")
        return SqliteStore(
            None, durability=durability, busy_seconds=busy_seconds, query_seconds=query_seconds
        )
    file = sqlite_file(url)
    if file is None:
        from storage.mongo import MongoStore  # the driver costs start-up time

        return MongoStore(url, query_seconds=query_seconds, selection_seconds=busy_seconds)
    if not make and not file.exists():
        raise StoreError(f"store {file} does not exist")
    return SqliteStore(
        file, durability=durability, busy_seconds=busy_seconds, query_seconds=query_seconds
    )


def check_after_unclean_end(url: str) -> None:
    """Check a database file that the last process did not close, before it is served.

    Raises:
        StoreUrlError: the URL has no adapter or the wrong form.
        StoreError: it is corrupt; the message says what to do.
    """
    check_store_url(url)
    file = None if is_private(url) else sqlite_file(url)
    if file is not None:
        unclean_end.check_after_unclean_end(file)


@contextmanager
def held_file(url: str) -> Iterator[None]:
    """Make every process refuse a replaced database file, even while no process has it open.

    Raises:
        FileReplaced: it is another file already.
    """
    file = None if is_private(url) else sqlite_file(url)
    if file is None:
        yield
        return
    with closing(FileIdentity(file)):
        yield


def diagnose_store(
    url: str,
    wanted: Mapping[str, Sequence[Index]],
    *,
    query_seconds: float = 5.0,
    busy_seconds: float = 5.0,
) -> Iterator[Check]:
    """Yield what is found in a store, which is not changed; `wanted` are the indexes it needs.

    Raises:
        StoreUrlError: the URL has no adapter, or is of a store that ends with its process.
        StoreError: the store is not there, or cannot be read.
    """
    check_store_url(url)
    if is_private(url):
        raise StoreUrlError(f"{url} ends with its process; name a file or a server")
    file = sqlite_file(url)
    if file is None:
        from storage.mongo.diagnosis import diagnose as diagnose_mongo

        yield from diagnose_mongo(
            url, wanted, seconds=query_seconds, selection_seconds=busy_seconds
        )
    elif file.exists():
        yield from diagnose_sqlite(file, wanted)
    else:
        raise StoreError(f"store {file} does not exist")


def check_store_url(url: str) -> None:
    """Check the form of a store's URL, without connecting to anything.

    Raises:
        StoreUrlError: no store can have it; the message has no password.
    """
    if is_private(url):
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        raise StoreUrlError(f"is not a URL; {_FORMS}") from None
    if parts.scheme == "sqlite":
        plain = not (parts.netloc or parts.query or parts.fragment)
        if not plain or len(parts.path) < 2 or not parts.path.startswith("/"):
            raise StoreUrlError(
                f"{url} is no place of a file; write sqlite:///relative.db or"
                " sqlite:////absolute.db, nothing else"
            )
    elif parts.scheme in ("mongodb", "mongodb+srv"):
        from storage.mongo import check_url  # the driver costs start-up time

        check_url(url)
    else:
        named = f"{parts.scheme}:" if parts.scheme else url
        raise StoreUrlError(f"{named} is no store; {_FORMS}")


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite store's URL, None for any other store."""
    return Path(urlsplit(url).path[1:]) if url.startswith("sqlite:") else None


def is_private(url: str) -> bool:
    """Whether the store lives in one process, so that several workers would not share it."""
    return url == "memory:"
