"""A list that is asked for again is parsed once, and never for another caller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from app.tmf630.caller import Access, Identity
from app.tmf630.definitions import Limits
from app.tmf630.errors import BadQuery
from app.tmf630.paging import Cursors
from handlers.handler_context import HandlerContext
from handlers.listing import Listing
from handlers.request_context import RequestContext
from storage.sqlite.store import SqliteStore
from tests.app.tmf630.test_row_access import DEFINITIONS

DEFINITION = DEFINITIONS["4"]
QUERY = "status=opened&limit=2"


@pytest.fixture
def listing(tmp_path: Path) -> Iterator[Listing]:
    store = SqliteStore(tmp_path / "s.db", durability="normal")
    store.prepare(DEFINITION.collection, DEFINITION.indexes)
    for number in range(6):
        body = {
            "id": f"{number}",
            "status": "opened",
            "relatedParty": [{"id": "AB"[number % 2]}],
        }
        store.insert(DEFINITION.collection, f"{number}", orjson.dumps(body), form="4")
    yield Listing(DEFINITION, HandlerContext(store, Limits(), Cursors("a key of the tests")))
    store.close()


def request(raw_query: str, *, party: str | None = None, strict: bool = False) -> RequestContext:
    """Return the request of a caller that is bound to a party, or to none."""
    pairs = [piece.split("=", 1) for piece in raw_query.split("&")]
    identity = None if party is None else Identity(party, "key", frozenset(Access), (party,))
    return RequestContext(
        "http://localhost",
        query={name: [value] for name, value in pairs},
        raw_query=raw_query,
        parameters={"limit": int(dict(pairs)["limit"])},
        identity=identity,
        strict=strict,
    )


def ids(listing: Listing, asked: RequestContext) -> list[str]:
    return [each["id"] for each in orjson.loads(listing.answer(asked).content)]


def test_all_pages_of_a_list_are_parsed_once(listing: Listing) -> None:
    found, query = [], QUERY
    while True:
        answer = listing.answer(request(query))
        found += [each["id"] for each in orjson.loads(answer.content)]
        links = str(answer.headers.get("Link", ""))
        if 'rel="next"' not in links:
            break
        after = next(link for link in links.split(", ") if 'rel="next"' in link)
        query = f"{QUERY}&after={after.partition('after=')[2].partition('>')[0]}"
    assert found == ["5", "4", "3", "2", "1", "0"]
    assert listing._parsed.cache_info().misses == 1


def test_the_same_query_shows_each_caller_what_it_may_see(listing: Listing) -> None:
    for _ in range(2):
        assert ids(listing, request(QUERY, party="A")) == ["4", "2"]
        assert ids(listing, request(QUERY, party="B")) == ["5", "3"]
        assert ids(listing, request(QUERY, party="C")) == []
        assert ids(listing, request(QUERY)) == ["5", "4"]


def test_what_a_strict_request_refuses_stays_refused_once_another_was_answered(
    listing: Listing,
) -> None:
    for _ in range(2):
        assert ids(listing, request("stauts=opened&limit=2")) == []
        with pytest.raises(BadQuery):
            listing.answer(request("stauts=opened&limit=2", strict=True))


def test_a_filter_beside_a_cursor_in_one_piece_is_not_lost(listing: Listing) -> None:
    assert ids(listing, request("status=opened&limit=1")) == ["5"]
    assert ids(listing, request("limit=1&offset=0;reason=none&status=opened")) == []


def test_long_queries_are_not_kept(listing: Listing) -> None:
    assert ids(listing, request(f"status=opened,{'x' * 600},{'y' * 600}&limit=1")) == ["5"]
    assert listing._parsed.cache_info().currsize == 0
