"""Shapes of queries: what a list may be asked, with values that select little and much.

`bench-store` times them, `bench-store-check` counts the instructions of the database. A shape whose
cost grows with the collection says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import permutations

from storage import (
    And,
    AnyElement,
    Comparison,
    Condition,
    Matches,
    Operator,
    Or,
    Query,
    SortKey,
    Window,
)
from tests.bench.interactions import START, parties, shops

PAGE = Window(0, 20)
CREATED = ("creationDate",)

COUNTED = "its total counts many matches"
TIES = "the index of status goes on with creationDate, and not with the order of insertion"
MIXED = "no index has the one order within the other"
UNINDEXED = "no index has authors: read until the page is full"
ABSENT = "no index has what is not there: its total reads everything"
OFFSET = "what is skipped is read"


@dataclass(frozen=True, slots=True)
class Shape:
    """A query, and why its cost grows with the collection; "" where it may not."""

    name: str
    query: Query
    grows: str = ""


def few(total: int) -> dict[str, Condition]:
    """Return conditions that select a few of `total` interactions, whatever their number."""
    middle = START + timedelta(days=365)
    number = f"{total // 2:08d}"
    return {
        "party": Comparison(("relatedParty", "id"), Operator.EQ, f"party-{parties(total) // 2}"),
        "channel": Comparison(("channel", "id"), Operator.EQ, f"shop-{shops(total) // 2}"),
        "reason prefix": Matches(("reason",), f"^Fault {number[:7]}"),
        "short period": And(
            (
                Comparison(CREATED, Operator.GE, middle),
                Comparison(CREATED, Operator.LT, middle + timedelta(days=730) * (20 / total)),
            )
        ),
    }


def many() -> dict[str, Condition]:
    """Return conditions that select a part of all interactions."""
    return {
        "status": Comparison(("status",), Operator.EQ, "opened"),
        "direction": Comparison(("direction",), Operator.EQ, "inbound"),
        "long period": Comparison(CREATED, Operator.GE, START + timedelta(days=100)),
        "kind of reason": Matches(("reason",), "^Fault"),
    }


SORTS = {
    f"{sign}{path[0]}": (SortKey(path, sign == "-", path == CREATED),)
    for path in (CREATED, ("status",), ("direction",), ("reason",))
    for sign in ("", "-")
}


def shapes(total: int) -> Iterator[Shape]:
    """Yield every shape for a collection of `total` interactions."""
    selective, common = few(total), many()
    for name, one in selective.items():
        yield Shape(name, Query(one, window=PAGE))
    for first, second in permutations(selective, 2):
        both = And((selective[first], selective[second]))
        yield Shape(f"{first} & {second}", Query(both, window=PAGE))
    for rare, one in selective.items():
        for frequent, other in common.items():
            for label, pair in (
                (f"{rare} & {frequent}", (one, other)),
                (f"{frequent} & {rare}", (other, one)),
            ):
                yield Shape(label, Query(And(pair), window=PAGE))
                for key in ("creationDate", "-creationDate", "status"):
                    yield Shape(f"{label}, {key}", Query(And(pair), SORTS[key], PAGE))
    for name, keys in SORTS.items():
        grows = TIES if name.endswith("status") else ""
        yield Shape(f"sorted {name}, total", Query(sort=keys, window=PAGE), grows)
        yield Shape(f"sorted {name}", Query(sort=keys, window=PAGE, count=False), grows)
    for name, one in common.items():
        yield Shape(name, Query(one, window=PAGE, count=False))
        yield Shape(f"{name}, total", Query(one, window=PAGE), COUNTED)
    newest = SORTS["-creationDate"]
    yield Shape("status, -creationDate", Query(common["status"], newest, PAGE, count=False))
    yield Shape("direction, -creationDate", Query(common["direction"], newest, PAGE, count=False))
    yield Shape("direction, reason", Query(common["direction"], SORTS["reason"], PAGE, count=False))
    yield Shape("all, total", Query(window=PAGE))
    absent = Comparison(("lastUpdate",), Operator.EQ, None)
    yield Shape("absent value", Query(absent, window=PAGE, count=False))
    yield Shape("absent value, total", Query(absent, window=PAGE), ABSENT)
    yield Shape("absent value & party", Query(And((absent, selective["party"])), window=PAGE))
    yield from listed(total)
    half_way = Window(total // 2, PAGE.limit)
    yield Shape("offset half way", Query(window=half_way, count=False), OFFSET)


def listed(total: int) -> Iterator[Shape]:
    """Yield what the README's table of queries has beside these: no shape combines them."""
    status, created = ("status",), SortKey(CREATED, descending=True, instant=True)
    found = (Comparison(status, Operator.EQ, value) for value in ("opened", "inProgress"))
    yield Shape("alternatives", Query(Or(tuple(found)), window=PAGE, count=False))
    role = Comparison(("role",), Operator.EQ, "customer")
    party = Comparison(("id",), Operator.EQ, f"party-{parties(total) // 2}")
    one = AnyElement(("relatedParty",), And((party, role)))
    yield Shape("party in a role", Query(one, window=PAGE))
    author = Comparison(("author",), Operator.EQ, "agent 7")
    notes = AnyElement(("note",), author)
    yield Shape("author of a note", Query(notes, window=PAGE, count=False), UNINDEXED)
    for name, keys in {
        "-status,-creationDate": (SortKey(status, descending=True), created),
        "-creationDate,status": (created, SortKey(status)),
    }.items():
        query = Query(sort=keys, window=PAGE, count=False)
        yield Shape(f"sorted {name}", query, MIXED if name.endswith("status") else "")


def followed(shape: Shape) -> Shape:
    """Return the shape of the page that a cursor leads to; `after` is still to be set."""
    query = replace(shape.query, count=False)
    return Shape(f"{shape.name}, next page", query, "")
