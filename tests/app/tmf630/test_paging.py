from __future__ import annotations

import pytest

from app.tmf630.paging import fingerprint, links
from storage import And, AnyElement, Comparison, Condition, Matches, Not, Operator, Or, Page, Window
from tests.app.tmf630.test_filtering import DEFINITION

A, B = Comparison(("a",), Operator.EQ, "1"), Comparison(("b",), Operator.EQ, "1")


def link(relation: str, query: str, *, offset: int = 0, total: int | None = 45) -> str | None:
    """Return the query of a link in the header; None without such a link."""
    page = Page((), total, None)
    header = links(query, "http://h/x", Window(offset, 10), page, "CURSOR")
    found = dict(reversed(part.split("; rel=")) for part in header.split(", "))
    text = found.get(f'"{relation}"')
    return None if text is None else text.strip("<>").removeprefix("http://h/x")


@pytest.mark.parametrize(
    ("relation", "query", "expected"),
    [
        ("self", "a=1&offset=20", "?a=1&offset=20"),
        ("first", "a=1&offset=20&&b=2", "?a=1&b=2"),
        ("first", "offset=20", ""),
        ("first", "%6Fffset=20&a=1", "?a=1"),
        ("next", "a=1&offset=20", "?a=1&after=CURSOR"),
        ("next", "", "?after=CURSOR"),
        ("next", "after=OLD&limit=10", "?limit=10&after=CURSOR"),
        ("prev", "offset=20", "?offset=10"),
        ("last", "a=1&offset=20", "?a=1&offset=40"),
        ("self", 'a>"1"', "?a%3E%221%22"),
    ],
)
def test_links_keep_the_query_and_replace_where_the_page_begins(
    relation: str, query: str, expected: str
) -> None:
    assert link(relation, query, offset=20) == expected


def test_without_a_total_there_is_no_way_back_and_no_last_page() -> None:
    assert link("prev", "after=OLD", offset=20, total=None) is None
    assert link("last", "after=OLD", total=None) is None


CONDITIONS: list[Condition | None] = [
    None,
    A,
    B,
    Comparison(("a",), Operator.GE, "1"),
    Comparison(("a",), Operator.EQ, 1),
    Comparison(("a",), Operator.EQ, True),
    Matches(("a",), "1"),
    Not(A),
    And((A,)),
    Or((A,)),
    And((A, B)),
    And((B, A)),
    Or((A, B)),
    And((A, Or((A, B)))),
    AnyElement(("a",), A),
    AnyElement(("b",), A),
]


def test_queries_whose_pages_do_not_fit_together_have_different_fingerprints() -> None:
    found = {fingerprint(DEFINITION, each, ()) for each in CONDITIONS}
    assert len(found) == len(CONDITIONS)
