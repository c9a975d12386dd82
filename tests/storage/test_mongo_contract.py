from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage import Store, open_store
from tests.storage.contract import StoreContract
from tests.storage.edges import StoreEdges


class TestMongo(StoreContract, StoreEdges):
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, mongo: str) -> Iterator[Store]:
        store = open_store(f"{mongo}contract")
        yield store
        store.close()
