"""A list whose total would take too long to count comes without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from app.application import create_app
from app.settings import read_settings
from storage import Page, Query
from storage.sqlite import SqliteStore
from tests.conftest import OURS, OURS_V5
from tests.http.conftest import MINIMAL

LIST = "/tmf-api/partyInteraction/v4/partyInteraction"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    find = SqliteStore.find

    def uncounted(store: SqliteStore, collection: str, query: Query) -> Page:
        return replace(find(store, collection, query), total=None)

    with TestClient(create_app(read_settings(spec=(OURS, OURS_V5), store="memory:"))) as client:
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


def test_an_answer_with_a_part_says_so_where_the_contract_has_that(client: TestClient) -> None:
    v5 = LIST.replace("/v4/", "/v5/")
    whole, part = client.get(v5), client.get(v5, params={"limit": 2})
    behind = client.get(v5, params={"offset": 2})
    assert [each.status_code for each in (whole, part, behind)] == [200, 206, 206]
