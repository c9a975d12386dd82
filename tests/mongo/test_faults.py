"""What a MongoDB store does about large envelopes, long index builds, failovers and slow counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from click.testing import CliRunner
from pymongo import errors, monitoring
from pymongo.collection import Collection
from pymongo.database import Database

from app.bootstrap import collections_of, open_contracts
from app.cli import main
from app.observability.metrics import Metrics
from app.observability.missing_indexes import MissingIndexes
from app.settings import read_settings
from app.web.health import Health
from storage import (
    DocumentTooLarge,
    Index,
    Query,
    QueryTooSlow,
    SortKey,
    StoreError,
    StoreLate,
    Window,
)
from storage.mongo import MongoStore, ordering
from storage.mongo import indexes as index_builds
from storage.mongo.failures import translated
from storage.mongo.lease import Lease
from tests.conftest import OURS, OURS_V5

DIRECTION = Index((("direction",),))


@pytest.fixture
def store(mongo: str, database: Database[Any]) -> Iterator[MongoStore]:
    store = MongoStore(f"{mongo}{database.name}")
    store.prepare("things", [DIRECTION])
    yield store
    store.close()


# Waiting events and the size of an envelope


def too_large() -> errors.OperationFailure:
    return errors.OperationFailure("Resulting document after update is larger than 16777216", 17419)


def test_events_that_make_a_document_too_large_are_logged_and_the_change_is_made(
    store: MongoStore, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.insert("things", "a", b'{"id":"a"}', events=[b'"first"'])
    update_one = Collection.update_one

    def bounded(
        self: Collection[Any], where: Any, change: Any, *others: Any, **options: Any
    ) -> Any:
        """Refuse a change of an envelope that has events, as a server does beyond 16 MB."""
        if database["things"].count_documents({**where, "p": True}):
            raise too_large()
        return update_one(self, where, change, *others, **options)

    monkeypatch.setattr(Collection, "update_one", bounded)
    changed = store.replace("things", "a", b'{"id":"a","n":1}', version=1, events=[b'"second"'])
    assert changed.version == 2
    monkeypatch.undo()
    assert [each.content for each in store.events(0, 10)] == [b'"first"', b'"second"']


def test_a_document_that_is_too_large_without_events_stays_as_it_was(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.insert("things", "a", b'{"id":"a"}', events=[b"{}"])

    def refused(*_: Any, **__: Any) -> Any:
        raise too_large()

    monkeypatch.setattr(Collection, "update_one", refused)
    with pytest.raises(DocumentTooLarge):
        store.replace("things", "a", b'{"id":"a","n":1}', version=1)
    monkeypatch.undo()
    assert store.get("things", "a").version == 1
    assert len(store.events(0, 10)) == 1


# Index builds


@pytest.fixture
def large(mongo: str, database: Database[Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a store with a collection that counts as large."""
    monkeypatch.setattr(index_builds, "SMALL", 2)
    store = MongoStore(f"{mongo}{database.name}")
    store.prepare("things", ())
    for number in range(3):
        store.insert("things", str(number), b'{"id":"x"}')
    store.close()
    return f"{mongo}{database.name}"


def test_the_indexes_of_a_large_collection_are_built_in_the_background_without_a_socket_timeout(
    large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    timeouts = []
    create = Collection.create_indexes

    def slow(self: Collection[Any], models: Any, *others: Any, **options: Any) -> Any:
        timeouts.append(self.database.client.options.pool_options.socket_timeout)
        begun.set()
        assert go_on.wait(30)
        return create(self, models, *others, **options)

    store = MongoStore(large, query_seconds=5.0, selection_seconds=5.0)
    monkeypatch.setattr(Collection, "create_indexes", slow)
    store.prepare("things", [DIRECTION])  # returns though the build has not ended
    assert begun.wait(30)
    assert "direction" not in store.indexes("things")
    assert store.find("things", Query(window=Window(0, 9))).total == 3
    go_on.set()
    assert store._builder.join(30)
    assert timeouts == [None]
    assert "direction" in store.indexes("things")
    store.close()


def test_one_server_builds_at_a_time(
    large: str, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds: list[str] = []
    create = Collection.create_indexes

    def recorded(self: Collection[Any], models: Any, *others: Any, **options: Any) -> Any:
        builds.append(self.name)
        return create(self, models, *others, **options)

    monkeypatch.setattr(Collection, "create_indexes", recorded)
    other_server = Lease(database, "index builder", seconds=60)
    assert other_server.acquire()
    store = MongoStore(large)
    store.prepare("things", [DIRECTION])
    assert not store._builder.join(1.5)
    assert builds == []
    other_server.release()
    assert store._builder.join(60)
    assert builds == ["things"]
    store.close()


def test_a_failed_build_is_tried_again(large: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_builds, "_RETRY_SECONDS", 0.05)
    create, tries = Collection.create_indexes, []

    def first_fails(self: Collection[Any], models: Any, *others: Any, **options: Any) -> Any:
        tries.append(self.name)
        if len(tries) == 1:
            raise errors.AutoReconnect("connection closed")
        return create(self, models, *others, **options)

    monkeypatch.setattr(Collection, "create_indexes", first_fails)
    store = MongoStore(large)
    store.prepare("things", [DIRECTION])
    assert store._builder.join(30)
    assert (len(tries), "direction" in store.indexes("things")) == (2, True)
    store.close()


def test_the_unique_index_of_a_large_log_is_built_in_the_background_and_events_wait_for_it(
    mongo: str, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restored dump whose indexes are still to be built."""
    monkeypatch.setattr(index_builds, "SMALL", 2)
    log = database["events.log"]
    log.insert_many([{"_id": number, "k": str(number), "c": "{}"} for number in range(1, 4)])
    begun, go_on = threading.Event(), threading.Event()
    timeouts = []
    create = Collection.create_indexes

    def slow(self: Collection[Any], models: Any, *others: Any, **options: Any) -> Any:
        if self.name == "events.log":
            timeouts.append(self.database.client.options.pool_options.socket_timeout)
            begun.set()
            assert go_on.wait(30)
        return create(self, models, *others, **options)

    monkeypatch.setattr(Collection, "create_indexes", slow)
    store = MongoStore(f"{mongo}{database.name}")
    store.prepare("things", ())  # returns though the build has not ended
    assert begun.wait(30)
    store.insert("things", "a", b'{"id":"a"}', events=[b'"first"'])
    assert store.last_event() == 3, "the event waits"
    store.delete("things", "a", version=1, events=[b'"second"'])
    with pytest.raises(StoreError, match="has no unique index"):
        store.insert("things", "a", b'{"id":"a"}')  # whose events must be logged before
    go_on.set()
    assert store._builder.join(30)
    assert timeouts == [None]
    assert [each.content for each in store.events(3, 10)] == [b'"first"', b'"second"']
    assert store.insert("things", "a", b'{"id":"a"}').version == 1
    store.close()


def test_a_build_that_outlasts_the_socket_timeout_goes_on_in_the_background(
    mongo: str, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few documents may be large, and another build may be in progress."""
    timeouts = []
    create = Collection.create_indexes

    def slow(self: Collection[Any], models: Any, *others: Any, **options: Any) -> Any:
        timeouts.append(self.database.client.options.pool_options.socket_timeout)
        if timeouts[-1] is not None and self.name == "things":
            raise errors.NetworkTimeout("timed out")
        return create(self, models, *others, **options)

    monkeypatch.setattr(Collection, "create_indexes", slow)
    store = MongoStore(f"{mongo}{database.name}")
    store.prepare("things", [DIRECTION])
    assert store._builder.join(30)
    assert None in timeouts
    assert "direction" in store.indexes("things")
    store.close()


def show_build(monkeypatch: pytest.MonkeyPatch, *, hidden: bool = False) -> None:
    """Let the server say that it is building an index: 30 of 100 documents are done."""
    command = Database.command

    def answer(self: Database[Any], wanted: Any, *others: Any, **options: Any) -> Any:
        if isinstance(wanted, dict) and wanted.get("listIndexes") == "things":
            assert wanted["includeIndexBuildInfo"]
            building = {"spec": {"name": "direction"}, "indexBuildInfo": {"buildUUID": 1}}
            return {"cursor": {"firstBatch": [{"spec": {"name": "_id_"}}, building]}}
        return command(self, wanted, *others, **options)

    def operations(self: Database[Any], stages: Any, **options: Any) -> Any:
        if hidden:
            raise errors.OperationFailure("not authorized", 13)
        build = {"createIndexes": "things", "indexes": [{"name": "direction"}]}
        return [{"command": build, "progress": {"done": 30, "total": 100}}]

    monkeypatch.setattr(Database, "command", answer)
    monkeypatch.setattr(Database, "aggregate", operations)


@pytest.mark.parametrize(("hidden", "says"), [(False, "direction 30%"), (True, "direction")])
def test_a_build_is_shown_with_its_progress_in_health(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch, hidden: bool, says: str
) -> None:
    show_build(monkeypatch, hidden=hidden)
    assert store.indexes("things") == frozenset()
    wanted = MissingIndexes(store, {"things": [DIRECTION]})
    health = Health(store, Metrics(), wanted, most_pending=0, delivers=True)
    status, content = health.ready()
    assert status == 200
    assert content["checks"]["indexes"] == f"1 indexes are being built: {says}"


def test_a_build_is_shown_with_its_progress_by_the_command(
    mongo: str, store: MongoStore, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    show_build(monkeypatch)
    monkeypatch.setattr("app.commands.indexes.collections_of", lambda _: {"things": (DIRECTION,)})
    done = CliRunner().invoke(main, ["indexes", "--store", f"{mongo}{database.name}"])
    assert done.output == "things\n  building 30%   direction\n"


# Orders that indexes give


@pytest.mark.parametrize("descending", [True, False])
def test_every_hinted_attribute_sorts_both_ways_in_the_order_of_its_index(descending: bool) -> None:
    contracts = open_contracts(read_settings(spec=(OURS, OURS_V5), store="memory:"))
    tried = 0
    for collection, indexes in collections_of(contracts).items():
        scalars = frozenset(path for each in indexes if not each.many for path in each.paths)
        defined = [list(each.document["key"].items()) for each in index_builds.definitions(indexes)]
        for index in indexes:
            if index.many:
                continue
            path = index.paths[0]
            keys = (SortKey(path, descending, path in index.instants),)
            assert ordering.is_plain(keys, scalars), (collection, index.name)
            wanted = list(ordering.order(keys, plain=True).items())
            backwards = [(name, -way) for name, way in wanted]
            assert wanted in defined or backwards in defined, (collection, index.name)
            tried += 1
    assert tried >= 6


def test_the_paths_of_a_hint_sort_together_by_its_index_when_all_descend() -> None:
    index = Index((("status",), ("creationDate",)), instants=frozenset({("creationDate",)}))
    keys = tuple(SortKey(path, True, path in index.instants) for path in index.paths)
    assert ordering.is_plain(keys, frozenset(index.paths))
    backwards = [(name, -way) for name, way in ordering.order(keys, plain=True).items()]
    defined = {
        index_builds.name_of(each): list(each.document["key"].items())
        for each in index_builds.definitions([index])
    }
    assert backwards == defined[index.name]


@pytest.mark.parametrize("descending", [True, False])
def test_ids_sort_by_their_own_index_alone(descending: bool) -> None:
    keys = (SortKey(("id",), descending),)
    assert ordering.is_plain(keys, frozenset())
    assert [*ordering.order(keys, plain=True)] == ["_id"]


# Concerns, whatever the URL says


class Commands(monitoring.CommandListener):
    """Keeps the commands that a client sends."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent.append(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def test_the_log_and_waiting_events_are_read_as_a_majority_of_the_primary_has_them(
    mongo: str, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands()
    client = pymongo.MongoClient
    monkeypatch.setattr(
        "storage.mongo.store.MongoClient",
        lambda *a, **options: client(*a, event_listeners=[commands], **options),
    )
    url = f"{mongo}{database.name}?readPreference=secondaryPreferred&readConcernLevel=local"
    store = MongoStore(url)
    store.prepare("things", ())
    store.insert("things", "a", b'{"id":"a"}', events=[b"{}"])
    commands.sent.clear()
    assert len(store.events(0, 10)) == 1
    assert store.last_event() == 1
    store.delete("things", "a", version=1)
    store.insert("things", "a", b'{"id":"a"}')
    found = [each for each in commands.sent if each.get("find") in ("things", "events.log")]
    assert {each["find"] for each in found} == {"things", "events.log"}
    for each in found:
        preference = each.get("$readPreference", {"mode": "primary"})["mode"]
        assert preference == "primary", each
        level = each.get("readConcern", {}).get("level")
        # The next free number is looked for without waiting for a majority: inserting decides.
        of_the_number = each["find"] == "events.log" and each["filter"] == {}
        assert level == "majority" or (of_the_number and level == "local"), each
    store.close()


def test_what_is_read_to_be_written_comes_from_the_primary(
    mongo: str, database: Database[Any]
) -> None:
    store = MongoStore(f"{mongo}{database.name}?readPreference=secondary")
    assert store._of_primary("things").read_preference == pymongo.ReadPreference.PRIMARY
    assert store._collection("things").read_preference == pymongo.ReadPreference.SECONDARY
    store.close()


# Errors and totals


@pytest.mark.parametrize("code", [292, 16819, 16820])
def test_a_sort_beyond_its_memory_is_a_query_that_is_too_slow(code: int) -> None:
    with pytest.raises(QueryTooSlow, match="sorts more than fits into the memory"), translated():
        raise errors.OperationFailure("Sort exceeded memory limit", code)


@pytest.mark.parametrize(
    ("error", "late"),
    [
        (errors.NetworkTimeout("timed out"), True),
        (errors.AutoReconnect("connection closed"), True),
        (errors.ServerSelectionTimeoutError("No servers found yet"), False),
        (errors.OperationFailure("not authorized", 13), False),
    ],
)
def test_a_server_that_does_not_answer_in_time_may_be_asked_again(
    error: Exception, late: bool
) -> None:
    with pytest.raises(StoreError) as told, translated():
        raise error
    assert isinstance(told.value, StoreLate) is late


UNCONFIRMED = {"code": 64, "errmsg": "waiting for replication timed out"}


@pytest.mark.parametrize(
    "error",
    [
        errors.WTimeoutError("waiting for replication timed out", 64, {}),
        errors.BulkWriteError({"writeErrors": [], "writeConcernErrors": [UNCONFIRMED]}),
    ],
)
def test_a_write_that_is_not_confirmed_in_time_may_have_happened(error: Exception) -> None:
    with pytest.raises(StoreError, match="it may have happened, and may be lost"), translated():
        raise error


def test_a_bulk_write_that_is_refused_is_not_said_to_have_happened() -> None:
    details = {"writeErrors": [{"code": 121}], "writeConcernErrors": [UNCONFIRMED]}
    with pytest.raises(StoreError) as told, translated():
        raise errors.BulkWriteError(details)
    assert "may have happened" not in str(told.value)


def test_a_slow_count_leaves_out_the_total_and_keeps_the_page(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id in "abc":
        store.insert("things", id, b'{"id":"x","direction":"inbound"}')
    bounds = []

    def slow(self: Collection[Any], *_: Any, **options: Any) -> int:
        bounds.append(options["maxTimeMS"])
        raise errors.ExecutionTimeout("operation exceeded time limit", 50)

    monkeypatch.setattr(Collection, "count_documents", slow)
    monkeypatch.setattr(Collection, "estimated_document_count", slow)
    page = store.find("things", Query(window=Window(0, 2)))
    assert (len(page.documents), page.total) == (2, None)
    assert page.end is not None
    assert bounds == [1250]  # a quarter of the five seconds of a query


# The doctor


def test_the_doctor_finds_ghosts_and_says_what_it_looked_at(
    mongo: str, database: Database[Any]
) -> None:
    url = f"{mongo}{database.name}"
    settings = read_settings(spec=(OURS,), store=url)
    store = MongoStore(url)
    for collection, indexes in collections_of(open_contracts(settings)).items():
        store.prepare(collection, indexes)
    store.insert("partyInteraction/partyInteraction", "a", b'{"id":"a"}', events=[b"{}"])
    command = ["doctor", "--spec", str(OURS), "--store", url]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    names = {line.split()[1] for line in done.output.splitlines()}
    assert {"server", "topology", "clock", "writes", "indexes", "ghosts", "log", "backlog"} <= names
    assert "w majority" in done.output
    assert "1 events wait in documents" in done.output
    ghosts = database["partyInteraction.partyInteraction"]
    ghosts.insert_one({"_id": "ghost", "v": 2, "n": 1, "x": True})
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "problem  ghosts     1 tombstones without events" in done.output
    assert ghosts.count_documents({}) == 2, "the doctor changes nothing"
    store.close()


def test_the_doctor_finds_a_log_without_its_unique_index(
    mongo: str, store: MongoStore, database: Database[Any]
) -> None:
    store.insert("things", "a", b'{"id":"a"}', events=[b"{}"])
    assert store.last_event() == 1
    command = ["doctor", "--spec", str(OURS), "--store", f"{mongo}{database.name}"]
    assert "unique index" not in CliRunner().invoke(main, command).output
    database["events.log"].drop_index("key")
    output = CliRunner().invoke(main, command).output
    assert "problem  log        0 events wait in documents, 1 are logged" in output
    assert "its unique index is missing" in output


def test_two_servers_that_check_writing_for_the_first_time_at_once_both_succeed(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_one = Collection.replace_one

    def second(self: Collection[Any], *others: Any, **options: Any) -> Any:
        replace_one(self, *others, **options)
        raise errors.DuplicateKeyError("E11000 duplicate key error", 11000)

    monkeypatch.setattr(Collection, "replace_one", second)
    store.check_write(0.0)


def test_the_doctor_warns_of_writes_that_a_failover_may_lose(
    mongo: str, database: Database[Any]
) -> None:
    command = ["doctor", "--spec", str(OURS), "--store", f"{mongo}{database.name}?w=1"]
    assert "a failover may lose what was answered" in CliRunner().invoke(main, command).output


def test_a_server_that_is_away_ends_the_doctor_with_two() -> None:
    url = "mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=200"
    done = CliRunner().invoke(main, ["doctor", "--store", url])
    assert done.exit_code == 2
    assert done.output.startswith("tmf683: MongoDB")
