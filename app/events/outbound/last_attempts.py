"""When a delivery to a listener last succeeded and failed: a document beside the delivery cursor.

It is not part of the cursor, because the first release refuses a cursor with attributes that it
does not know, and both releases work on one store during an upgrade.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from storage import Document, Store, json
from storage.update import Change, Write, find_document, remove, update

LAST_ATTEMPTS = "events/attempts"


@dataclass(frozen=True, slots=True)
class LastAttempts:
    """Seconds since 1970, 0 when there was none; `error` is the last failure's."""

    succeeded_at: float = 0.0
    failed_at: float = 0.0
    error: str = ""


def prepare_last_attempts(store: Store) -> None:
    """Create the collection."""
    store.prepare(LAST_ATTEMPTS, ())


def read_last_attempts(store: Store, cursor: str) -> LastAttempts:
    """Return when deliveries of a cursor were last attempted."""
    return _decode(find_document(store, LAST_ATTEMPTS, cursor))


def store_last_attempts(store: Store, cursor: str, attempts: LastAttempts) -> None:
    """Store the times; one that is 0 leaves what is stored as it is."""

    def change(present: Document | None) -> Change:
        before = _decode(present)
        failure = attempts if attempts.failed_at else before
        after = LastAttempts(
            attempts.succeeded_at or before.succeeded_at, failure.failed_at, failure.error
        )
        return None if after == before else Write(json.dumps(asdict(after)))

    update(store, LAST_ATTEMPTS, cursor, change)


def forget_last_attempts(store: Store, cursor: str) -> None:
    """Remove the times of a cursor that is closed or begins anew."""
    remove(store, LAST_ATTEMPTS, cursor)


def _decode(document: Document | None) -> LastAttempts:
    return LastAttempts() if document is None else LastAttempts(**json.loads(document.content))
