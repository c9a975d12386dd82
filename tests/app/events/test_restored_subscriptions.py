"""A restored copy does not call the listeners of the original."""

from __future__ import annotations

import pytest

from app.events.outbound.callback_policy import CallbackPolicy
from app.events.outbound.delivery_cursors import read_cursors
from app.maintenance.archive import Entry
from app.maintenance.restore import restore
from storage import Document, DocumentNotFound, Store, json
from tests.app.contract.test_mapping import CONTRACTS
from tests.app.events.test_worker import HUBS, store

__all__ = ["store"]  # the fixture


def subscription(callback: str) -> Entry:
    content = json.dumps({"id": "s1", "callback": callback})
    return Entry(2, HUBS["4"], Document("s1", 1, content, "4"))


def test_subscriptions_are_left_out(store: Store) -> None:
    found = restore([CONTRACTS["4"]], store, [subscription("https://93.184.216.34/")])
    assert (found.added, found.subscriptions, found.rejects) == (0, 1, [])
    with pytest.raises(DocumentNotFound):
        store.get(HUBS["4"], "s1")
    assert read_cursors(store) == []


def test_subscriptions_that_are_wanted_come_suspended(store: Store) -> None:
    entries = [subscription("https://93.184.216.34/")]
    found = restore([CONTRACTS["4"]], store, entries, subscriptions=True)
    assert (found.added, found.rejects) == (1, [])
    (cursor,) = read_cursors(store)
    assert cursor.suspended


@pytest.mark.parametrize(
    "callback",
    [
        "http://10.0.0.1/",
        "http://\U0001fbf1\U0001fbf2\U0001fbf7.\U0001fbf0.\U0001fbf0.\U0001fbf1/",
        "http://93.184.216.34:25/",
    ],
)
def test_a_callback_that_a_hub_refuses_is_not_restored(store: Store, callback: str) -> None:
    found = restore(
        [CONTRACTS["4"]],
        store,
        [subscription(callback)],
        subscriptions=True,
        check_callback=CallbackPolicy().check,
    )
    (reject,) = found.rejects
    assert reject.rules[0].startswith("/callback")
    assert read_cursors(store) == []
