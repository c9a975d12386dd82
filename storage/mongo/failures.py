"""The driver's failures as the port's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import errors

from storage.errors import (
    DocumentTooLarge,
    QueryTooSlow,
    StoreError,
    StoreFull,
    StoreLate,
    StoreReadOnly,
    UnsupportedQuery,
)

_UNSUPPORTED = frozenset({2, 9, 15, 51091, 51108, 51109})
"""Codes for a query that MongoDB does not understand: values, nesting, patterns."""

_TOO_LARGE = frozenset({10334, 17419, 17420})
"""Codes for a document beyond 16 MB."""

_SORT_MEMORY = frozenset({292, 16819, 16820})
"""Codes for a sort that needs more memory than it may have; repeating it does not help."""

_FULL = frozenset({14031, 14035, 14036, 8000})
"""Codes for a disk without room, and for the quota of a hosted cluster."""


def is_too_large(error: errors.PyMongoError) -> bool:
    """Whether the document is larger than MongoDB keeps."""
    if isinstance(error, errors.DocumentTooLarge):
        return True
    return isinstance(error, errors.OperationFailure) and error.code in _TOO_LARGE


@contextmanager
def translated() -> Iterator[None]:
    """Raise the port's errors in place of the driver's.

    Raises:
        QueryTooSlow: the query took longer, or sorts more, than a query may.
        DocumentTooLarge: the document is beyond 16 MB.
        StoreFull: MongoDB's disk is full.
        StoreReadOnly: no server of the replica set takes writes.
        UnsupportedQuery: MongoDB does not understand the query.
        StoreLate: a server did not answer in time, or has ended the connection.
        StoreError: anything else.
    """
    try:
        yield
    except errors.ExecutionTimeout:
        raise QueryTooSlow("the query took longer than queries may") from None
    except (errors.WTimeoutError, errors.BulkWriteError) as error:
        if isinstance(error, errors.BulkWriteError) and not _only_unconfirmed(error):
            raise StoreError(f"MongoDB: {first_line(error)}") from error
        raise StoreError(
            "MongoDB did not confirm the write in time: it may have happened, and may be lost"
            " when the primary fails"
        ) from error
    except errors.OperationFailure as error:
        if is_too_large(error):
            raise DocumentTooLarge("the document is larger than MongoDB can keep") from None
        if error.code in _SORT_MEMORY:
            raise QueryTooSlow("the query sorts more than fits into the memory of a sort") from None
        if error.code in _UNSUPPORTED:
            raise UnsupportedQuery(f"MongoDB refuses the query: {first_line(error)}") from None
        kind = StoreFull if error.code in _FULL else StoreError
        raise kind(f"MongoDB: {first_line(error)}") from error
    except errors.NotPrimaryError as error:
        raise StoreReadOnly(f"MongoDB: {first_line(error)}") from error
    except errors.DocumentTooLarge:
        raise DocumentTooLarge("the document is larger than MongoDB can keep") from None
    except errors.ServerSelectionTimeoutError as error:
        raise StoreError(f"MongoDB: {first_line(error)}") from error
    except errors.AutoReconnect as error:
        raise StoreLate(f"MongoDB: {first_line(error)}") from error
    except errors.PyMongoError as error:
        raise StoreError(f"MongoDB: {first_line(error)}") from error


def _only_unconfirmed(error: errors.BulkWriteError) -> bool:
    details = error.details or {}
    return bool(details.get("writeConcernErrors")) and not details.get("writeErrors")


def first_line(error: Exception) -> str:
    """Return the driver's message without the dump of the whole answer."""
    return str(error).split(", full error", 1)[0].split(", Timeout", 1)[0][:300]
