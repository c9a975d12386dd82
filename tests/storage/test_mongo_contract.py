from __future__ import annotations

from collections.abc import Iterator

import pytest
import uuid_utils

from storage import Store, open_store
from tests.mongo.emulation import FerretStore
from tests.mongo.running import own_ferret_server
from tests.storage.contract import StoreContract
from tests.storage.edges import StoreEdges


@pytest.mark.slow
class TestFerret(StoreContract, StoreEdges):
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls) -> Iterator[Store]:
        with own_ferret_server() as server:
            store = FerretStore(f"{server.url}contract")
            yield store
            store.close()


class TestMongo(StoreContract, StoreEdges):
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, mongo: str) -> Iterator[Store]:
        # SecantusDB leaves the heartbeat without an answer under load, and repeats what that ends.
        waits = "connectTimeoutMS=120000&socketTimeoutMS=120000"
        store = open_store(f"{mongo}contract?{waits}")
        yield store
        store.close()

    def test_events_keep_their_order_when_clocks_differ(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A document changed by one machine and then by another, whose clock is behind."""
        store.prepare("clocks", ())
        start = store.last_event()
        keys = iter(sorted((uuid_utils.uuid7() for _ in range(3)), reverse=True))
        monkeypatch.setattr("storage.mongo.event_log.uuid_utils.uuid7", lambda: next(keys))
        store.insert("clocks", "a", b'{"id":"a"}', events=[b"1"])
        store.replace("clocks", "a", b'{"id":"a"}', version=1, events=[b"2"])
        store.delete("clocks", "a", version=2, events=[b"3"])
        assert [each.content for each in store.events(start, 10)] == [b"1", b"2", b"3"]
