"""Combined conditions cost what the most selective one selects, however large the store is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import permutations

import pytest

from storage import (
    And,
    Comparison,
    Condition,
    Index,
    Operator,
    Query,
    SortKey,
    Store,
    Window,
    json,
    open_store,
)
from storage.sqlite.store import SqliteStore
from tests.storage.instructions import instructions

SMALL, LARGE = 2_000, 16_000
MATCHES = 20
STATUS, PARTY, CHANNEL, DATE = ("status",), ("party", "id"), ("channel", "id"), ("date",)
INDEXES = (
    Index((STATUS, DATE), instants=frozenset({DATE})),
    Index((DATE,), instants=frozenset({DATE})),
    Index((("reason",),)),
    Index((PARTY,), many=True),
    Index((CHANNEL,), many=True),
)
COMMON: dict[str, Condition] = {
    "status": Comparison(STATUS, Operator.EQ, "completed"),
    "date": Comparison(DATE, Operator.GE, datetime(2020, 1, 1, tzinfo=UTC)),
    "channel": Comparison(CHANNEL, Operator.EQ, "web"),
    "other party": Comparison(PARTY, Operator.EQ, "everybody"),
}
"""Each holds for every document, or for every second."""

RARE: dict[str, Condition] = {
    "party": Comparison(PARTY, Operator.EQ, "42"),
    "reason": Comparison(("reason",), Operator.EQ, "rare"),
    "late date": Comparison(DATE, Operator.GE, datetime(2030, 1, 1, tzinfo=UTC)),
}
"""Each holds for the same 20 documents."""

SORTS: dict[str, tuple[SortKey, ...]] = {
    "newest": (),
    "date": (SortKey(DATE, False, True),),
    "-date": (SortKey(DATE, True, True),),
    "status": (SortKey(STATUS),),
}


def filled(documents: int) -> SqliteStore:
    store = open_store("memory:")
    assert isinstance(store, SqliteStore)
    store.prepare("c", INDEXES)
    step = documents // MATCHES
    with store.batch():
        for number in range(documents):
            rare = number % step == 0
            parties = ["everybody", "42" if rare else str(number + 100)]
            content = {
                "id": f"{number:06}",
                "status": "completed" if number % 2 == 0 else "opened",
                "reason": "rare" if rare else f"reason {number}",
                "date": "2031-01-01T00:00:00Z" if rare else "2026-01-01T00:00:00Z",
                "party": [{"id": each} for each in parties],
                "channel": [{"id": "web"}],
            }
            store.insert("c", str(content["id"]), json.dumps(content))
    return store


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[SqliteStore, SqliteStore]]:
    small, large = filled(SMALL), filled(LARGE)
    yield small, large
    small.close()
    large.close()


def steps(store: SqliteStore, query: Query) -> int:
    """Return how many instructions of the database a query takes."""
    page, taken = instructions(store, "c", query)
    assert page.total == MATCHES
    return taken


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("rare", RARE)
@pytest.mark.parametrize("common", COMMON)
def test_the_cost_does_not_grow_with_the_store(
    stores: tuple[SqliteStore, SqliteStore], common: str, rare: str, sort: str
) -> None:
    for conditions in permutations((COMMON[common], RARE[rare])):
        query = Query(And(conditions), SORTS[sort], Window(0, 10), count=True)
        small, large = (steps(store, query) for store in stores)
        assert large <= 2 * small + 500, f"{small} steps of {SMALL}, {large} of {LARGE}"


def test_the_answer_is_the_same_from_every_start(stores: tuple[Store, Store]) -> None:
    for store in stores:
        expected = None
        for common in COMMON.values():
            for rare in RARE.values():
                for conditions in permutations((common, rare)):
                    page = store.find("c", Query(And(conditions), (), Window(0, 100), count=True))
                    found = ([each.id for each in page.documents], page.total)
                    expected = expected or found
                    assert found == expected
        assert expected is not None
        assert expected[1] == MATCHES
