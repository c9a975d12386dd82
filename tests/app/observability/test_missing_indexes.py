"""Missing indexes are counted until a collection has all of its own."""

from __future__ import annotations

from typing import Any

from app.observability.missing_indexes import MissingIndexes
from storage import Index

STATUS = Index((("status",),))


class Indexes:
    """A store that has some indexes, and does something whenever it is asked for them."""

    def __init__(self, *there: str) -> None:
        self.there = frozenset(there)
        self.asked = 0
        self.when_asked: Any = None

    def indexes(self, collection: str) -> frozenset[str]:
        self.asked += 1
        if self.when_asked is not None:
            then, self.when_asked = self.when_asked, None
            then()
        return self.there


def counting(store: Indexes) -> MissingIndexes:
    return MissingIndexes(store, {"thing": [STATUS]})  # type: ignore[arg-type]


def test_an_index_that_is_not_there_is_missing() -> None:
    assert counting(Indexes()).count() == 1


def test_a_collection_that_has_its_indexes_is_not_asked_again() -> None:
    store = Indexes(STATUS.name)
    missing = counting(store)
    assert [missing.count(), missing.count()] == [0, 0]
    assert store.asked == 1


def test_two_counts_at_once_do_not_hinder_each_other() -> None:
    store = Indexes(STATUS.name)
    missing = counting(store)
    store.when_asked = missing.count
    assert missing.count() == 0
