from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import Store, open_store
from tests.storage.contract import StoreContract
from tests.storage.edges import StoreEdges


class TestFile(StoreContract, StoreEdges):
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
        file: Path = tmp_path_factory.mktemp("sqlite") / "store.db"
        store = open_store(f"sqlite:///{file}", durability="normal")
        yield store
        store.close()


class TestMemory(StoreContract, StoreEdges):
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls) -> Iterator[Store]:
        store = open_store("memory:")
        yield store
        store.close()
