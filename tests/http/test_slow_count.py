"""A list whose total would take too long to count comes without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from app.application import create_app
from app.settings import read_settings
from app.tmf630.paging import Cursor
from handlers.listing import is_partial
from storage import Page, Position, Query, Window
from storage.sqlite import SqliteStore
from tests.conftest import OURS
from tests.http.conftest import MINIMAL

LIST = "/tmf-api/partyInteraction/v4/partyInteraction"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    find = SqliteStore.find

    def uncounted(store: SqliteStore, collection: str, query: Query) -> Page:
        return find(store, collection, query)._replace(total=None)

    with TestClient(create_app(read_settings(spec=(OURS,), store="memory:"))) as client:
        for _ in range(3):
            assert client.post(LIST, json=MINIMAL).status_code == 201
        monkeypatch.setattr(SqliteStore, "find", uncounted)
        yield client


def test_the_list_is_answered_without_the_total(client: TestClient) -> None:
    answer = client.get(LIST, params={"limit": 2})
    assert "X-Total-Count" not in answer.headers
    assert answer.headers["X-Result-Count"] == "2"
    assert len(answer.json()) == 2


def test_cursors_lead_on_to_the_end(client: TestClient) -> None:
    first = client.get(LIST, params={"limit": 2})
    second = client.get(first.links["next"]["url"])
    assert "X-Total-Count" not in second.headers
    assert len(second.json()) == 1
    assert "next" not in second.links
    assert len({each["id"] for each in first.json() + second.json()}) == 3


@pytest.mark.parametrize(
    ("window", "end", "cursor", "partial"),
    [
        (Window(0, 9), None, None, False),
        (Window(0, 2), (1, "a"), None, True),
        (Window(2, 2), None, None, True),
        (Window(0, 2), None, Cursor((1, "a"), None), True),
    ],
)
def test_a_page_is_a_part_where_others_come_before_or_after(
    window: Window, end: Position | None, cursor: Cursor | None, partial: bool
) -> None:
    """For contracts that answer a part with 206."""
    assert is_partial(Page((), None, end), window, cursor, None) == partial
