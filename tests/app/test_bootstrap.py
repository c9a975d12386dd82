"""Opening a store that answers late."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from app import bootstrap
from app.bootstrap import open_contracts, open_prepared_store
from app.settings import read_settings
from storage import StoreError, StoreLate
from storage.sqlite.store import SqliteStore
from tests.conftest import OURS


@pytest.mark.parametrize(
    ("error", "failures", "opened"),
    [
        (StoreLate("timed out"), 2, True),
        (StoreLate("timed out"), 99, False),
        (StoreError("not authorized"), 1, False),
    ],
)
def test_a_store_that_answers_late_is_asked_a_few_times(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: StoreError,
    failures: int,
    opened: bool,
) -> None:
    prepare, tried = SqliteStore.prepare, []

    def late(self: SqliteStore, collection: str, indexes: Any) -> None:
        if len({id(store) for store in tried} | {id(self)}) <= failures:
            tried.append(self)  # kept, so that no other has its id
            raise error
        prepare(self, collection, indexes)

    monkeypatch.setattr(SqliteStore, "prepare", late)
    monkeypatch.setattr(bootstrap, "_OPENING_SECONDS", 0)
    settings = read_settings(spec=(OURS,), store=f"sqlite:///{tmp_path}/s.db")
    contracts = open_contracts(settings)
    with caplog.at_level(logging.WARNING, "tmf683.server"):
        if opened:
            open_prepared_store(settings, contracts).close()
        else:
            with pytest.raises(type(error), match=str(error)):
                open_prepared_store(settings, contracts)
    expected = {2: 2, 99: bootstrap._OPENINGS - 1, 1: 0}[failures]
    assert [each.getMessage() for each in caplog.records] == [
        f"{error}; it is asked again"
    ] * expected
