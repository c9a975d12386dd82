"""Failed deliveries: those that wait for another attempt, and those that were parked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from storage import (
    And,
    Comparison,
    Condition,
    Document,
    Index,
    Operator,
    Query,
    SortKey,
    Store,
    Window,
    every,
    json,
)
from storage.update import find_document, put, remove

FAILED = "events/failed"
"""The name in the store is that of the first release."""
_INDEXES = (Index((("lane",),)), Index((("state",),)))

State: TypeAlias = Literal["waiting", "parked"]


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A delivery that waits for its next attempt (`waiting`) or has none left (`parked`).

    `cursor` is the id of the subscription's cursor, `number` the event's in the log. `resource` is
    what the event is about: later events about it wait behind this one. `next` is when the next
    attempt is due, `trace` the `traceparent` of the request that caused the event.
    """

    id: str
    cursor: str
    number: int
    resource: str
    event: str
    type: str
    body: dict[str, Any]
    state: State = "waiting"
    attempts: int = 0
    next: float = 0.0
    error: str = ""
    trace: str = ""


def prepare_failed(store: Store) -> None:
    """Create the collection of failed deliveries."""
    store.prepare(FAILED, _INDEXES)


def put_failed(store: Store, failed: FailedDelivery) -> None:
    """Store a failed delivery, in place of an earlier state of it."""
    stored = asdict(failed)
    stored["lane"] = stored.pop("cursor")
    put(store, FAILED, failed.id, json.dumps(stored))


def read_failed(store: Store, id: str) -> FailedDelivery | None:
    """Return a failed delivery; None when there is none."""
    document = find_document(store, FAILED, id)
    return None if document is None else _decode_failed(document)


def find_failed(
    store: Store,
    window: Window,
    *,
    cursor: str | None = None,
    state: State | None = None,
    event: str | None = None,
) -> tuple[list[FailedDelivery], int]:
    """Return a window of the failed deliveries, the oldest events first, and how many there are."""
    where = _condition(lane=cursor, state=state, event=event)
    page = store.find(FAILED, Query(where=where, sort=(SortKey(("number",)),), window=window))
    return [_decode_failed(document) for document in page.documents], page.total or 0


def forget_failed(store: Store, id: str) -> None:
    """Delete a failed delivery."""
    remove(store, FAILED, id)


def failed_deliveries(
    store: Store, *, cursor: str | None = None, state: State | None = None
) -> list[FailedDelivery]:
    """Return failed deliveries, the oldest events first."""
    found = every(store, FAILED, _condition(lane=cursor, state=state))
    return sorted(map(_decode_failed, found), key=lambda each: (each.number, each.id))


def _condition(**attributes: str | None) -> Condition | None:
    """Return the condition that stored attributes have these values; None states nothing."""
    stated = tuple(
        Comparison((name,), Operator.EQ, value)
        for name, value in attributes.items()
        if value is not None
    )
    return And(stated) if stated else None


def _decode_failed(document: Document) -> FailedDelivery:
    stored = json.loads(document.content)
    return FailedDelivery(cursor=stored.pop("lane"), **stored)
