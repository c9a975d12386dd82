"""What every store must do: the port's docstrings as tests that each adapter inherits."""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import (
    And,
    AnyElement,
    Comparison,
    Condition,
    Document,
    DocumentExists,
    DocumentNotFound,
    EventReaders,
    Index,
    InForm,
    Insertion,
    KeyInForms,
    Matches,
    Not,
    Operator,
    Or,
    Query,
    SortKey,
    Store,
    UnsupportedQuery,
    VersionConflict,
    Window,
    holds,
)
from tests.storage import oracle

EQ, LT, LE, GT, GE = Operator
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

DOCUMENTS: list[dict[str, Any]] = [
    {"id": "a", "s": "x", "n": 1, "b": True, "t": "2026-11-23T12:00:00Z", "o": {"p": "q"}},
    {"id": "b", "s": "y", "n": 1.0, "b": False, "t": "2026-11-23T13:00:00+01:00", "o": {}},
    {"id": "c", "s": "1", "n": 2, "t": "2026-11-23T12:00:00.001Z", "z": None},
    {"id": "d", "n": True, "s": "é", "t": "soon", "o": [{"p": "q"}, {"p": "r"}]},
    {"id": "e", "n": [1, 5], "s": ["x", "z"], "o": [{"p": ["u", "v"]}, 7, None]},
    {"id": "f", "r": [{"id": "7", "role": "c"}, {"id": "8", "role": "d"}], "s": "xyz"},
    {"id": "g", "r": [{"id": "7", "role": "d"}, {"id": "8", "role": "c"}], "s": "\U0001f600"},
    {"id": "h", "r": {"id": "7", "role": "c"}, "s": "e\u0301", "n": -3.5},
    {"id": "i", "$where": 1, "a.b": 2, "": 3, "%t": 4, 'q"\\': {"": [5]}, "_id": 6, "s": "x' --"},
    {"id": "j", "deep": {"r": [{"x": {"y": [{"z": 1}, {"z": 2}]}}]}, "m": [[1, [2]], [{"k": 1}]]},
    {"id": "k", "s": "", "n": 2**53 + 1, "e": [], "big": 10**30},
]

INDEXES = (
    Index((("s",),), many=True),
    Index((("t",),)),
    Index((("b",), ("t",)), instants=frozenset({("t",)})),
    Index((("t",),), instants=frozenset({("t",)})),
    Index((("r", "id"),), many=True),
    Index((("n",),), many=True),
    Index((("o", "p"),), many=True),
)

CONDITIONS: list[tuple[Condition, str]] = [
    (Comparison(("s",), EQ, "x"), "ae"),
    (Comparison(("s",), GT, "x"), "bdefgi"),
    (Comparison(("s",), LE, "x"), "acehk"),
    (Comparison(("s",), EQ, "1"), "c"),
    (Comparison(("s",), EQ, 1), ""),
    (Comparison(("s",), EQ, "x' --"), "i"),
    (Comparison(("s",), EQ, "\U0001f600"), "g"),
    (Comparison(("s",), EQ, "e\u0301"), "h"),
    (Comparison(("n",), EQ, 1), "abe"),
    (Comparison(("n",), EQ, 1.0), "abe"),
    (Comparison(("n",), EQ, True), "d"),
    (Comparison(("n",), EQ, "1"), ""),
    (Comparison(("n",), GE, 2), "cek"),
    (Comparison(("n",), LT, 1), "h"),
    (Comparison(("b",), EQ, False), "b"),
    (Comparison(("b",), EQ, 0), ""),
    (Comparison(("z",), EQ, None), "abcdefghijk"),
    (Comparison(("o", "p"), EQ, None), "bcfghijk"),
    (Comparison(("e",), EQ, None), "abcdefghijk"),
    (Comparison(("m",), EQ, None), "abcdefghik"),
    (Comparison(("t",), EQ, NOON), "ab"),
    (Comparison(("t",), GT, NOON), "c"),
    (Comparison(("t",), LE, NOON), "ab"),
    (Comparison(("t",), EQ, "soon"), "d"),
    (Comparison(("t",), EQ, "2026-11-23T12:00:00Z"), "a"),
    (Comparison(("o", "p"), EQ, "q"), "ad"),
    (Comparison(("o", "p"), EQ, "v"), "e"),
    (Comparison(("r", "id"), EQ, "8"), "fg"),
    (Comparison(("id",), EQ, "b"), "b"),
    (Comparison(("id",), EQ, 1), ""),
    (Comparison(("id",), GT, "i"), "jk"),
    (Comparison(("$where",), EQ, 1), "i"),
    (Comparison(("a.b",), EQ, 2), "i"),
    (Comparison(("a", "b"), EQ, 2), ""),
    (Comparison(("",), EQ, 3), "i"),
    (Comparison(("%t",), EQ, 4), "i"),
    (Comparison(("_id",), EQ, 6), "i"),
    (Comparison(('q"\\', ""), EQ, 5), "i"),
    (Comparison(("big",), GT, 10**29), "k"),
    (Comparison(("deep", "r", "x", "y", "z"), EQ, 2), "j"),
    (Comparison(("nope", "nope"), EQ, "x"), ""),
    (Matches(("s",), "^x"), "aefi"),
    (Matches(("s",), "y.$"), "f"),
    (Matches(("s",), "^.$"), "abcdeg"),
    (Matches(("s",), "(?i)^XY"), "f"),
    (Matches(("r", "role"), "^c$"), "fgh"),
    (Matches(("n",), "1"), ""),
    (AnyElement(("r",), And((Comparison(("id",), EQ, "7"), Comparison(("role",), EQ, "c")))), "fh"),
    (
        AnyElement(
            ("r",), And((Comparison(("id",), EQ, "7"), Not(Comparison(("role",), EQ, "c"))))
        ),
        "g",
    ),
    (AnyElement(("r",), Comparison(("role",), EQ, None)), ""),
    (AnyElement(("r",), Or((Comparison(("id",), EQ, "9"), Matches(("role",), "d")))), "fg"),
    (AnyElement(("o",), Not(Comparison(("p",), EQ, "q"))), "bde"),
    (AnyElement(("deep", "r"), AnyElement(("x", "y"), Comparison(("z",), GE, 2))), "j"),
    (AnyElement(("s",), Comparison(("p",), EQ, "q")), ""),
    (Not(Comparison(("s",), EQ, "x")), "bcdfghijk"),
    (Not(Not(Comparison(("s",), EQ, "x"))), "ae"),
    (And(()), "abcdefghijk"),
    (Or(()), ""),
    (And((Comparison(("s",), EQ, "x"), Comparison(("n",), EQ, 5))), "e"),
    (Or((Comparison(("s",), EQ, "y"), Comparison(("r", "id"), EQ, "8"))), "bfg"),
    (
        AnyElement(
            ("r",),
            And(
                (
                    Or((Comparison(("id",), EQ, "7"), Comparison(("id",), EQ, "9"))),
                    Comparison(("role",), EQ, "c"),
                )
            ),
        ),
        "fh",
    ),
    (Or((Comparison(("s",), EQ, "y"), And((Not(Or(())), Comparison(("b",), EQ, True))))), "ab"),
]


class StoreContract:
    """Inherited by the tests of each adapter, which give it a `store`."""

    @pytest.fixture
    def collection(self) -> str:
        return f"tests/{uuid.uuid4().hex}"

    @pytest.fixture(params=["unindexed", "indexed", "indexed later"])
    def filled(self, request: pytest.FixtureRequest, store: Store, collection: str) -> str:
        """A collection that holds DOCUMENTS, oldest first."""
        store.prepare(collection, INDEXES if request.param == "indexed" else ())
        for document in DOCUMENTS:
            store.insert(collection, document["id"], dump(document))
        if request.param == "indexed later":
            store.prepare(collection, INDEXES)
        return collection

    def test_a_document_comes_back_as_it_was_written(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        for document in DOCUMENTS:
            content = dump(document)
            written = store.insert(collection, document["id"], content)
            assert (written.version, written.content) == (1, content)
            read = store.get(collection, document["id"])
            assert (read.id, read.version, read.content) == (document["id"], 1, content)

    def test_many_documents_are_added_except_those_whose_ids_are_taken(
        self, store: Store, collection: str
    ) -> None:
        store.prepare(collection, INDEXES)
        start = store.last_event()
        assert store.insert_many(collection, ()) == ()
        store.insert(collection, "b", b'{"id":"b","s":"old"}')
        store.insert(collection, "d", b'{"id":"d"}', events=[b"{}"])
        store.delete(collection, "d", version=1, events=[b"{}"])
        many = [Document(id, 7, b'{"id":"%b","s":"new"}' % id.encode(), "f") for id in "abcda"]
        assert store.insert_many(collection, many) == (True, False, True, True, False)
        found = store.find(collection, Query(sort=(SortKey(("id",)),))).documents
        assert [(each.id, each.version, each.form) for each in found] == [
            ("a", 1, "f"),
            ("b", 1, ""),
            ("c", 1, "f"),
            ("d", 1, "f"),
        ]
        assert store.find(collection, Query(Comparison(("s",), Operator.EQ, "new"))).total == 3
        with store.batch():
            assert store.insert_many(collection, [Document("e", 1, b'{"id":"e"}')]) == (True,)
            assert store.insert_many(collection, [Document("e", 1, b'{"id":"e"}')]) == (False,)
        assert store.get(collection, "e").content == b'{"id":"e"}'
        assert len(store.events(start, 10)) == 2

    @pytest.mark.parametrize("grouped", [False, True])
    def test_documents_are_added_all_or_none(
        self, store: Store, collection: str, grouped: bool
    ) -> None:
        store.prepare(collection, INDEXES)
        start = store.last_event()
        store.insert(collection, "b", b'{"id":"b"}')
        new = {id: Insertion(id, b'{"id":"%b"}' % id.encode(), "f", (b"{}",)) for id in "abcd"}
        with store.batch() if grouped else nullcontext():
            store.insert(collection, "e", b'{"id":"e"}')
            for refused in ("ab", "bc", "cc"):
                with pytest.raises(DocumentExists):
                    store.insert_all(collection, [new[each] for each in refused])
            added = store.insert_all(collection, [new["c"], new["d"]])
            assert store.insert_all(collection, ()) == ()
        assert [(each.id, each.version, each.form) for each in added] == [
            ("c", 1, "f"),
            ("d", 1, "f"),
        ]
        found = store.find(collection, Query(sort=(SortKey(("id",)),))).documents
        assert [each.id for each in found] == ["b", "c", "d", "e"]
        assert len(store.events(start, 10)) == 2

    def test_a_document_keeps_the_form_it_was_written_in(
        self, store: Store, collection: str
    ) -> None:
        store.prepare(collection, ())
        assert store.insert(collection, "a", b'{"id":"a"}', form="4").form == "4"
        assert store.insert(collection, "b", b'{"id":"b"}').form == ""
        assert store.get(collection, "a").form == "4"
        assert store.replace(collection, "a", b'{"id":"a"}', version=1, form="5").form == "5"
        selected = Query(select=(("id",),))
        for query in (Query(), selected):
            assert [each.form for each in store.find(collection, query).documents] == ["", "5"]

    @pytest.mark.parametrize(
        ("condition", "ids"),
        [
            (InForm(("4", "")), ["c", "a"]),
            (InForm(("5",)), ["b"]),
            (Not(InForm(("4", "5"))), ["c"]),
            (And((InForm(("4",)), Comparison(("s",), EQ, "x"))), ["a"]),
            (
                Or(
                    (
                        And((InForm(("4",)), Comparison(("r", "id"), EQ, "7"))),
                        And((InForm(("5",)), Comparison(("s",), EQ, "x"))),
                    )
                ),
                ["b", "a"],
            ),
        ],
    )
    def test_a_condition_on_the_form_finds(
        self, store: Store, collection: str, condition: Condition, ids: list[str]
    ) -> None:
        store.prepare(collection, INDEXES)
        for id, form in (("a", "4"), ("b", "5"), ("c", "")):
            content = dump({"id": id, "s": "x", "r": [{"id": "7"}]})
            store.insert(collection, id, content, form=form)
        found = store.find(collection, Query(where=condition))
        assert ([each.id for each in found.documents], found.total) == (ids, len(ids))

    def test_a_write_logs_its_events_in_order(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        start = store.last_event()
        store.insert(collection, "a", b'{"id":"a"}', events=[b'{"e":1}', b'{"e":2}'])
        store.insert(collection, "b", b'{"id":"b"}')
        store.replace(collection, "a", b'{"id":"a"}', version=1, events=[b'{"e":3}'])
        store.delete(collection, "a", version=2, events=[b'{"e":4}'])
        found = store.events(start, 10)
        assert [each.content for each in found] == [b'{"e":%d}' % e for e in (1, 2, 3, 4)]
        assert [each.number for each in found] == list(range(start + 1, start + 5))
        assert store.last_event() == start + 4
        assert store.events(start + 1, 2) == found[1:3]
        with pytest.raises(DocumentNotFound):
            store.get(collection, "a")
        assert [each.id for each in store.find(collection, Query()).documents] == ["b"]

    def test_events_that_nobody_reads_are_not_logged(self, store: Store, collection: str) -> None:
        readers = f"{collection}/readers"
        store.prepare(collection, ())
        store.prepare(readers, ())
        store.log_events_for(collection, EventReaders(readers, ("other/", "more/")))
        start = store.last_event()

        def logged(id: str) -> bool:
            before = store.last_event()
            store.insert(collection, id, b"{}", events=[b'{"e":1}'])
            store.replace(collection, id, b"{}", version=1, events=[b'{"e":2}'])
            store.delete(collection, id, version=2, events=[b'{"e":3}'])
            found = store.last_event() - before
            assert found in (0, 3)
            assert len(store.events(before, 10)) == found
            return found == 3

        assert not logged("a")
        for id in ("other/x", "more/x", "other/"):
            store.insert(readers, id, b"{}")
        assert not logged("b")
        for id in ("mine/x", "a", "z", "more", "other0", "other", "noreader"):
            store.insert(readers, id, b"{}")
            assert logged(id.replace("/", "-")), id
            store.delete(readers, id, version=1)
            assert not logged(f"{id.replace('/', '-')}-again"), id
        assert store.last_event() == start + 21

    def test_no_event_after_a_reader_came_is_lost(self, store: Store, collection: str) -> None:
        readers = f"{collection}/readers"
        store.prepare(collection, ())
        store.prepare(readers, ())
        store.log_events_for(collection, EventReaders(readers))
        start = store.last_event()
        begun, came = threading.Event(), threading.Event()
        expected: list[int] = []

        def write(writer: int) -> None:
            after = 0
            for number in itertools.count():
                known = came.is_set()
                mark = writer * 1_000_000 + number
                store.insert(collection, f"{mark}", b"{}", events=[b'{"e":%d}' % mark])
                if number == 5:
                    begun.set()
                if known:
                    expected.append(mark)
                    after += 1
                if after == 20:
                    return

        with ThreadPoolExecutor(3) as pool:
            writing = [pool.submit(write, number) for number in range(3)]
            assert begun.wait(60)
            try:
                store.insert(readers, "me", b"{}")
            finally:
                came.set()
            for each in writing:
                each.result()
        store.last_event()
        found = [json.loads(each.content)["e"] for each in store.events(start, 100_000)]
        assert len(expected) == 60
        assert set(expected) <= set(found)
        assert len(set(found)) == len(found)

    def test_a_write_that_fails_logs_nothing(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        store.insert(collection, "a", b'{"id":"a"}')
        start = store.last_event()
        with pytest.raises(DocumentExists):
            store.insert(collection, "a", b'{"id":"a"}', events=[b"{}"])
        with pytest.raises(VersionConflict):
            store.replace(collection, "a", b'{"id":"a"}', version=7, events=[b"{}"])
        with pytest.raises(VersionConflict):
            store.delete(collection, "a", version=7, events=[b"{}"])
        with pytest.raises(DocumentNotFound):
            store.delete(collection, "b", version=1, events=[b"{}"])
        assert store.events(start, 10) == ()

    def test_an_id_is_free_again_before_its_events_are_read(
        self, store: Store, collection: str
    ) -> None:
        store.prepare(collection, ())
        start = store.last_event()
        store.insert(collection, "a", b'{"id":"a"}', events=[b'{"e":1}'])
        store.delete(collection, "a", version=1, events=[b'{"e":2}'])
        with pytest.raises(DocumentNotFound):
            store.get(collection, "a")
        again = store.insert(collection, "a", b'{"id":"a","n":2}', events=[b'{"e":3}'])
        assert again.version == 1
        store.delete(collection, "a", version=1)
        found = [each.content for each in store.events(start, 10)]
        assert found == [b'{"e":1}', b'{"e":2}', b'{"e":3}']
        with pytest.raises(DocumentNotFound):
            store.get(collection, "a")

    def test_events_of_a_batch_are_logged_together(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        start = store.last_event()
        with store.batch():
            for id in "abc":
                store.insert(collection, id, b'{"id":"x"}', events=[b'"%b"' % id.encode()])
        assert [each.content for each in store.events(start, 10)] == [b'"a"', b'"b"', b'"c"']

    def test_forgotten_events_do_not_come_again(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        for id in "ab":
            store.insert(collection, id, b'{"id":"x"}', events=[b"{}"])
        last = store.last_event()
        assert store.prune_events(datetime(2020, 1, 1, tzinfo=UTC)) == 0
        assert store.prune_events(datetime(2100, 1, 1, tzinfo=UTC)) >= 1
        assert store.last_event() == last
        assert [each.number for each in store.events(0, 10)] == [last]
        store.insert(collection, "c", b'{"id":"c"}', events=[b'{"new":1}'])
        store.insert(collection, "d", b'{"id":"d"}', events=[b'{"new":2}'])
        assert store.prune_events(datetime(2100, 1, 1, tzinfo=UTC), through=last - 1) == 0
        assert store.prune_events(datetime(2100, 1, 1, tzinfo=UTC), through=last) == 1
        assert [(each.number, each.content) for each in store.events(last, 10)] == [
            (last + 1, b'{"new":1}'),
            (last + 2, b'{"new":2}'),
        ]

    def test_many_writers_lose_no_event(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        start = store.last_event()
        seen: list[int] = []

        def write(writer: int) -> None:
            for number in range(20):
                id = f"{writer}-{number}"
                store.insert(collection, id, b'{"id":"x"}', events=[b'"%b"' % id.encode()])

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        position = start
        deadline = time.monotonic() + 60
        while len(seen) < 80 and time.monotonic() < deadline:
            for event in store.events(position, 7):
                seen.append(event.number)
                position = event.number
        for thread in threads:
            thread.join()
        assert seen == list(range(start + 1, start + 81))

    def test_an_id_is_taken_once(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        store.insert(collection, "a", b'{"id":"a","n":1}')
        with pytest.raises(DocumentExists):
            store.insert(collection, "a", b'{"id":"a","n":2}')
        assert store.get(collection, "a").content == b'{"id":"a","n":1}'

    def test_collections_do_not_mix(self, store: Store, collection: str) -> None:
        for name in (collection, collection + "x"):
            store.prepare(name, INDEXES)
            store.insert(name, "a", dump({"id": "a", "s": name}))
        assert ids(store, collection, Comparison(("s",), GE, "")) == "a"
        assert ids(store, collection, Comparison(("s",), EQ, collection + "x")) == ""
        assert store.find(collection, Query()).total == 1

    def test_what_is_not_there_is_not_found(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        with pytest.raises(DocumentNotFound):
            store.get(collection, "a")
        with pytest.raises(DocumentNotFound):
            store.replace(collection, "a", b"{}", version=1)
        with pytest.raises(DocumentNotFound):
            store.delete(collection, "a", version=1)
        assert store.find(collection, Query()).documents == ()

    def test_each_replacement_has_the_next_version(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        store.insert(collection, "a", b'{"id":"a"}')
        assert store.replace(collection, "a", b'{"id":"a","n":2}', version=1).version == 2
        with pytest.raises(VersionConflict):
            store.replace(collection, "a", b'{"id":"a","n":3}', version=1)
        with pytest.raises(VersionConflict):
            store.delete(collection, "a", version=1)
        read = store.get(collection, "a")
        assert (read.version, read.content) == (2, b'{"id":"a","n":2}')
        store.delete(collection, "a", version=2)
        with pytest.raises(DocumentNotFound):
            store.get(collection, "a")

    @pytest.mark.parametrize(("where", "expected"), CONDITIONS, ids=lambda each: str(each)[:70])
    def test_a_condition_finds(
        self, store: Store, filled: str, where: Condition, expected: str
    ) -> None:
        assert ids(store, filled, where) == expected

    def test_indexes_follow_changes(self, store: Store, filled: str) -> None:
        new = {"id": "f", "r": [{"id": "9", "role": "c"}], "s": "new"}
        store.replace(filled, "f", dump(new), version=1)
        store.delete(filled, "g", version=1)
        assert ids(store, filled, Comparison(("r", "id"), EQ, "8")) == ""
        assert ids(store, filled, Comparison(("r", "id"), EQ, "9")) == "f"
        assert ids(store, filled, Comparison(("s",), EQ, "new")) == "f"
        assert ids(store, filled, Comparison(("s",), EQ, "xyz")) == ""

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ((), "kjihgfedcba"),
            ((SortKey(("id",)),), "abcdefghijk"),
            ((SortKey(("b",), True),), "abkjihgfedc"),
            ((SortKey(("t",), False, True),), "abcdefghijk"),
            ((SortKey(("t",), True, True), SortKey(("id",))), "cabdefghijk"),
            ((SortKey(("b",)), SortKey(("id",), True)), "bakjihgfedc"),
            ((SortKey(("o", "x")),), "abcdefghijk"),
            ((SortKey(("o", "x"), True),), "kjihgfedcba"),
            ((SortKey(("b",)), SortKey(("z",)), SortKey(("t",), False, True)), "bacdefghijk"),
            ((SortKey(("b",), True), SortKey(("t",), False, True)), "abcdefghijk"),
        ],
        ids=str,
    )
    def test_sort_keys_order(
        self, store: Store, filled: str, keys: tuple[SortKey, ...], expected: str
    ) -> None:
        page = store.find(filled, Query(sort=keys))
        assert "".join(document.id for document in page.documents) == expected
        walked = walk(store, filled, Query(sort=keys, window=Window(0, 3)))
        assert walked == expected, "cursors"

    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            (SortKey(("p",), elsewhere=(KeyInForms(("4", ""), ("q",)),)), "dafbcegh"),
            (SortKey(("p",), True, elsewhere=(KeyInForms(("4", ""), ("q",)),)), "bfadhgec"),
            (SortKey(("p",), elsewhere=(KeyInForms(("4",), None),)), "afbcdegh"),
            (SortKey(("p",), elsewhere=(KeyInForms(("4",), None, ((None, "a"),)),)), "bcdeafgh"),
            (
                SortKey(
                    ("p",),
                    elsewhere=(KeyInForms(("4",), ("q",), (("z", "a"), ("k", None), (None, "x"))),),
                ),
                "bafcedgh",
            ),
            (
                SortKey(
                    ("p",),
                    elsewhere=(KeyInForms(("4",), ("o", "p"), ((None, "a"),), within=("o",)),),
                ),
                "caefbdgh",
            ),
        ],
        ids=str,
    )
    def test_documents_of_other_forms_order_by_what_they_have_there(
        self, store: Store, collection: str, key: SortKey, expected: str
    ) -> None:
        for id, form, content in (
            ("a", "5", {"p": "n"}),
            ("b", "4", {"p": "b", "q": "z"}),
            ("c", "4", {"o": {}}),
            ("d", "4", {"q": "k"}),
            ("e", "4", {"o": {"p": "q"}}),
            ("f", "5", {"p": "s", "q": "a"}),
            ("g", "5", {}),
            ("h", "5", {"p": {"an": "object"}}),
        ):
            store.insert(collection, id, dump({"id": id, **content}), form=form)
        assert walk(store, collection, Query(sort=(key,))) == expected
        for size in (1, 3):
            query = Query(sort=(key,), window=Window(0, size), select=(("id",),))
            assert walk(store, collection, query) == expected, "cursors"

    def test_a_window_is_cut_from_the_order(self, store: Store, filled: str) -> None:
        def window(offset: int, limit: int) -> tuple[str, int | None]:
            page = store.find(filled, Query(window=Window(offset, limit)))
            return "".join(document.id for document in page.documents), page.total

        assert window(0, 3) == ("kji", 11)
        assert window(9, 3) == ("ba", 11)
        assert window(11, 3) == ("", 11)
        assert window(0, 0) == ("", 11)
        assert window(2**70, 5) == ("", 11)
        assert window(0, 2**70)[0] == "kjihgfedcba"
        assert store.find(filled, Query(count=False)).total is None

    def test_a_page_ends_early_at_a_number_of_bytes(self, store: Store, filled: str) -> None:
        everything = store.find(filled, Query()).documents
        sizes = [len(each.content) for each in everything]
        page = store.find(filled, Query(most_bytes=sum(sizes[:4])))
        assert page.documents == everything[:4]
        assert page.total == 11
        rest = store.find(filled, Query(after=page.end, most_bytes=1))
        assert rest.documents == everything[4:5], "one at least"
        query = Query(most_bytes=1, window=Window(0, 100))
        assert walk(store, filled, query) == "kjihgfedcba"
        whole = store.find(filled, Query(most_bytes=sum(sizes)))
        assert (len(whole.documents), whole.end) == (11, None)

    def test_cursors_stay_exact_while_documents_come_and_go(
        self, store: Store, filled: str
    ) -> None:
        first = store.find(filled, Query(window=Window(0, 4)))
        assert "".join(each.id for each in first.documents) == "kjih"
        store.insert(filled, "new", b'{"id":"new"}')
        store.delete(filled, "k", version=1)
        store.delete(filled, "f", version=1)
        rest = walk(store, filled, Query(window=Window(0, 2), after=first.end))
        assert rest == "gedcba"

    def test_a_cursor_of_another_order_is_refused(self, store: Store, filled: str) -> None:
        end = store.find(filled, Query(window=Window(0, 1))).end
        with pytest.raises(UnsupportedQuery):
            store.find(filled, Query(sort=(SortKey(("s",)),), after=end))

    def test_only_selected_paths_are_read(self, store: Store, filled: str) -> None:
        where = Comparison(("id",), EQ, "f")
        query = Query(where=where, select=(("id",), ("r", "role"), ("nope",)))
        (document,) = store.find(filled, query).documents
        assert json.loads(document.content) == {"id": "f", "r": [{"role": "c"}, {"role": "d"}]}

    @pytest.mark.parametrize("pattern", ["(", "a(?=b)", r"(a)\1", "(?<=a)b", "[z-a]", "a**"])
    def test_patterns_beyond_re2_are_refused(self, store: Store, filled: str, pattern: str) -> None:
        with pytest.raises(UnsupportedQuery):
            store.find(filled, Query(where=Matches(("s",), pattern)))

    def test_booleans_and_null_have_no_order(self, store: Store, filled: str) -> None:
        for value in (True, None):
            with pytest.raises(UnsupportedQuery):
                store.find(filled, Query(where=Comparison(("b",), LT, value)))

    @pytest.mark.parametrize("indexed", [False, True])
    def test_text_with_nul_is_not_the_text_before_it(
        self, store: Store, collection: str, indexed: bool
    ) -> None:
        store.prepare(collection, INDEXES if indexed else ())
        for id, text in (("1", "A"), ("2", "A\0B"), ("3", "A\\u0000")):
            content = {"id": id, "s": text, "r": [{"id": text}]}
            store.insert(collection, id, dump(content), form="4")
        for path in (("s",), ("r", "id")):
            where = Comparison(path, EQ, "A")
            page = store.find(collection, Query(where=where, count=True))
            assert [each.id for each in page.documents] == ["1"]
            assert page.total == 1
            written = And((where, InForm(("4",))))
            assert store.find(collection, Query(where=written)).total == 1
            for each in store.find(collection, Query()).documents:
                assert holds(where, json.loads(each.content)) == (each.id == "1")

    def test_a_write_check_leaves_no_document(self, store: Store) -> None:
        store.prepare("checked", ())
        last = store.last_event()
        for _ in range(3):
            store.check_write(0)
        assert store.find("checked", Query(window=Window(0, 9))).documents == ()
        assert store.last_event() == last

    def test_preparing_again_changes_nothing(self, store: Store, filled: str) -> None:
        store.prepare(filled, INDEXES)
        before = store.indexes(filled)
        store.prepare(filled, INDEXES)
        assert store.indexes(filled) == before
        assert {index.name for index in INDEXES} <= before
        assert ids(store, filled, Comparison(("r", "id"), EQ, "8")) == "fg"

    def test_large_and_deep_documents_are_kept(self, store: Store, collection: str) -> None:
        store.prepare(collection, INDEXES)
        deep: Any = "bottom"
        for _ in range(62):
            deep = {"d": deep}
        content = dump({"id": "a", "deep": deep, "text": "ü" * 500_000})
        store.insert(collection, "a", content)
        assert store.get(collection, "a").content == content

    def test_collections_are_those_with_documents(self, store: Store, collection: str) -> None:
        nested = f"{collection}/v1/thing/part"
        store.prepare(nested, ())
        assert nested not in store.collections()
        document = store.insert(nested, "a", b'{"id":"a"}')
        assert nested in store.collections()
        store.delete(nested, "a", version=document.version)
        assert nested not in store.collections()

    def test_writes_of_a_batch_are_kept_and_fail_alone(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        store.insert(collection, "a", b'{"id":"a"}')
        with store.batch():
            store.insert(collection, "b", b'{"id":"b"}')
            with pytest.raises(DocumentExists):
                store.insert(collection, "a", b'{"id":"a","n":2}')
            store.replace(collection, "a", b'{"id":"a","n":3}', version=1)
        assert store.get(collection, "a").version == 2
        assert store.find(collection, Query()).total == 2

    def test_writes_of_a_group_are_seen_by_all_once_it_is_committed(
        self, store: Store, collection: str
    ) -> None:
        store.prepare(collection, ())
        group = store.group()
        if group is None:
            pytest.skip("this store has no group commit: each write is durable by itself")
        store.insert(collection, "a", b'{"id":"a"}')
        start = store.last_event()
        assert group.begin(wait=False)
        with group.joined():
            store.insert(collection, "b", b'{"id":"b"}', events=[b"{}"])
            with pytest.raises(DocumentExists):
                store.insert(collection, "a", b'{"id":"a","n":2}')
            store.replace(collection, "a", b'{"id":"a","n":3}', version=1)
            assert store.get(collection, "a").version == 2, "who writes sees it at once"
        assert store.get(collection, "a").version == 1
        assert store.events(start, 10) == ()
        group.commit()
        assert store.get(collection, "a").version == 2
        assert store.find(collection, Query()).total == 2
        assert len(store.events(start, 10)) == 1
        assert group.begin(wait=True), "a group begins again"
        group.commit()

    def test_of_many_writers_each_version_has_one(self, store: Store, collection: str) -> None:
        store.prepare(collection, ())
        store.insert(collection, "a", b'{"id":"a","n":0}')
        lost: list[int] = []

        def add(times: int) -> None:
            for _ in range(times):
                while True:
                    document = store.get(collection, "a")
                    n = json.loads(document.content)["n"] + 1
                    try:
                        store.replace(
                            collection, "a", dump({"id": "a", "n": n}), version=document.version
                        )
                        break
                    except VersionConflict:
                        lost.append(n)

        threads = [threading.Thread(target=add, args=(10,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        document = store.get(collection, "a")
        assert (json.loads(document.content)["n"], document.version) == (40, 41), len(lost)

    def test_queries_mean_what_the_oracle_says(self, store: Store) -> None:
        check_against_oracle(store, examples=80)

    @pytest.mark.long
    @pytest.mark.timeout(3600)
    def test_ten_thousand_queries_mean_what_the_oracle_says(self, store: Store) -> None:
        check_against_oracle(store, examples=2500)  # of at least four queries each


def check_against_oracle(store: Store, *, examples: int) -> None:
    """Hold random queries on random documents against the plain Python evaluator."""
    indexes = (
        Index((("a",),), many=True),
        Index((("b", "c"),), many=True),
        Index((("t",),), instants=frozenset({("t",)})),
        Index((("v",),)),
        Index((("v", "a"),)),
    )
    collection = f"oracle/{uuid.uuid4().hex}"  # one for all: indexes take longer than queries
    store.prepare(collection, indexes)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        documents=st.lists(objects, min_size=1, max_size=6),
        queries=st.lists(queries, min_size=4, max_size=8),
    )
    def check(documents: list[dict[str, Any]], queries: list[Query]) -> None:
        for number, document in enumerate(documents):
            document = {"id": str(number), **document}
            documents[number] = document
            store.insert(collection, document["id"], dump(document))
        try:
            for query in queries:
                page = store.find(collection, query)
                found = [document.id for document in page.documents]
                assert (found, page.total) == oracle.find(documents, query), (documents, query)
        finally:
            for document in documents:
                store.delete(collection, document["id"], version=1)

    check()


names = st.sampled_from(["a", "b", "c"])
instants = st.sampled_from(
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01T00:00:00.5Z",
        "2027-02-03T04:05:06-07:00",
    ]
)
texts = st.sampled_from(["", "x", "xy", "y", "1", "é", "\U0001f600", "x\ny", "x\vy", "(\ny", " "])
long_integers = st.sampled_from([10**30, -(10**30), 2**63, 2**63 - 1, -(2**63) - 1, 2**53 + 1])
"""Some that BSON has no type for, and some that doubles do not hold."""
scalars = st.one_of(
    texts,
    instants,
    st.booleans(),
    st.none(),
    st.integers(-2, 2),
    long_integers,
    st.sampled_from([0.5, 1.0]),
)
within_arrays = st.one_of(scalars, st.builds(lambda value: {"b": value}, scalars))
nested: st.SearchStrategy[Any] = st.recursive(
    st.one_of(scalars, st.builds(lambda value: [[value]], within_arrays)),
    lambda inner: st.one_of(st.dictionaries(names, inner, max_size=3), st.lists(inner, max_size=3)),
    max_leaves=6,
)
unlisted = st.one_of(
    scalars,
    st.sampled_from(["{}", '{"a":1}', "[", "[1]", "{x"]),
    st.dictionaries(names, scalars, max_size=2),
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "a": nested,
        "b": nested,
        "c": nested,
        "t": instants,
        "k": st.integers(-3, 3),
        "s": texts,
        "v": unlisted,
    },
)
paths = st.one_of(
    st.lists(names, min_size=1, max_size=3).map(tuple),
    st.sampled_from([("v",), ("v", "a")]),
)
comparisons = st.one_of(
    st.builds(Comparison, paths, st.just(EQ), scalars),
    st.builds(
        Comparison,
        st.one_of(paths, st.just(("t",))),
        st.sampled_from(Operator),
        st.one_of(
            texts,
            st.sampled_from(["{}", "[1]", "[", "{x"]),
            st.integers(-2, 2),
            instants.map(datetime.fromisoformat),
        ),
    ),
)
patterns = ["^x", "y$", ".", "[x1]", "y", "^", r"\{", "^1$"]
patterns += [r"\v", r"x\vy", r"[\v]", r"[^\v]y", r"\s", r"x\sy", r"\S"]
patterns += [
    "(?m)^y",
    "(?m)x$",
    "(?m:x$)",
    "(?m:^y)$",
    r"(?m)\($",
    "(?m)(?-m:^y)",
]
leaves = st.one_of(
    comparisons,
    st.builds(Matches, paths, st.sampled_from(patterns)),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyElement, paths, inner),
    ),
    max_leaves=5,
)
keys = st.one_of(
    st.builds(SortKey, st.just(("k",)), st.booleans()),
    st.builds(SortKey, st.just(("s",)), st.booleans()),
    st.builds(SortKey, st.just(("t",)), st.booleans(), st.just(True)),
)
queries = st.builds(
    Query,
    where=st.one_of(st.none(), conditions),
    sort=st.lists(keys, max_size=2).map(tuple),
    window=st.builds(Window, st.integers(0, 3), st.integers(0, 5)),
)


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def ids(store: Store, collection: str, where: Condition) -> str:
    """Return the ids that match, in the order of the alphabet."""
    page = store.find(collection, Query(where=where))
    assert page.total == len(page.documents)
    return "".join(sorted(document.id for document in page.documents))


def walk(store: Store, collection: str, query: Query) -> str:
    """Follow cursors to the end and return the ids met."""
    found = ""
    while True:
        page = store.find(collection, query)
        found += "".join(document.id for document in page.documents)
        if page.end is None:
            return found
        position = json.loads(json.dumps(page.end))  # cursors travel as JSON
        query = Query(query.where, query.sort, query.window, tuple(position))
