"""Where stores differ by nature, and must not: inherited by the tests of each adapter."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from storage import (
    And,
    AnyElement,
    Comparison,
    Condition,
    Index,
    Matches,
    Not,
    Operator,
    Or,
    Path,
    Query,
    SortKey,
    Store,
    UnsupportedQuery,
    Window,
)
from storage.instants import instant_of
from tests.storage.contract import dump, ids, walk

EQ, LT, LE, GT, GE = Operator

INSTANTS = [
    ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
    ("2026-03-01T00:00:00.0005Z", "2026-03-01T00:00:00.001Z"),
    ("2026-03-01T00:00:00.00049Z", "2026-03-01T00:00:00Z"),
    ("2026-03-01T12:34:56.7895Z", "2026-03-01T12:34:56.790Z"),
    ("2026-03-01T14:00:00+14:00", "2026-03-01T00:00:00Z"),
    ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
    ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ("0001-01-02T00:00:00+01:00", "0001-01-01T23:00:00Z"),
    ("2026-02-29T00:00:00Z", None),
    ("2026-04-31T00:00:00Z", None),
    ("2026-03-01T24:00:00Z", None),
    ("2026-03-01T00:00:60Z", None),
    ("2026-03-01T00:00:00+15:00", None),
    ("2026-03-01t00:00:00z", None),
    ("2026-03-01T00:00:00 Z", None),
    ("2026-03-01T00:00:00", None),
    ("2026-03-01", None),
    ("0000-03-01T00:00:00Z", None),
    ("0001-01-01T00:00:00+01:00", None),
    ("9999-12-31T23:59:59.9999Z", None),
    ("9999-12-31T23:59:59-01:00", None),
    ("now", None),
    ("2460000.5", None),
]

SORTED: list[dict[str, Any]] = [
    {"id": "a", "k": 1, "o": {"p": 2}},
    {"id": "b", "k": [3, 9], "o": [{"p": 5}, {"p": 1}]},
    {"id": "c", "k": {"x": 1}, "o": {"p": [4]}},
    {"id": "d", "k": None},
    {"id": "e", "k": 2, "o": {"p": 1}},
    {"id": "f"},
    {"id": "g", "k": 2, "o": {"p": 3}},
    {"id": "h", "k": [], "o": []},
]

ORDERS: list[tuple[tuple[SortKey, ...], str]] = [
    ((SortKey(("k",)),), "aegbcdfh"),
    ((SortKey(("k",), True),), "geahfdcb"),
    ((SortKey(("o", "p")),), "eagbcdfh"),
    ((SortKey(("o", "p"), True),), "gaehfdcb"),
    ((SortKey(("k",), True), SortKey(("o", "p"))), "egabcdfh"),
    ((SortKey(("o", "p"), True), SortKey(("k",))), "gaebcdfh"),
    ((SortKey(("id",), True), SortKey(("k",))), "hgfedcba"),
]


class StoreEdges:
    """Needs a fixture `store`, as `StoreContract` does."""

    def fill(
        self, store: Store, documents: list[dict[str, Any]], *indexes: Index, later: bool = False
    ) -> str:
        collection = f"edges/{uuid.uuid4().hex}"
        store.prepare(collection, () if later else indexes)
        for document in documents:
            store.insert(collection, document["id"], dump(document))
        store.prepare(collection, indexes)
        return collection

    @pytest.mark.parametrize("indexed", [False, True])
    def test_a_text_is_an_instant_everywhere_or_nowhere(self, store: Store, indexed: bool) -> None:
        documents = [{"id": str(n), "t": text} for n, (text, _) in enumerate(INSTANTS)]
        hint = Index((("t",),), instants=frozenset({("t",)}))
        collection = self.fill(store, documents, *([hint] if indexed else []))
        for number, (text, means) in enumerate(INSTANTS):
            at = instant_of(text)
            assert (at and at.isoformat()) == (means and datetime.fromisoformat(means).isoformat())
            if at is not None:
                equal = Comparison(("t",), EQ, at)
                assert str(number) in {
                    each.id for each in store.find(collection, Query(equal)).documents
                }
        any_time = Comparison(("t",), GT, datetime(1, 1, 1, tzinfo=UTC))
        known = {str(n) for n, (_, means) in enumerate(INSTANTS) if means}
        assert {each.id for each in store.find(collection, Query(any_time)).documents} == known
        by_time = Query(sort=(SortKey(("t",), instant=True), SortKey(("id",))))
        found = [each.id for each in store.find(collection, by_time).documents]
        assert set(found[: len(known)]) == known

    def test_fractions_round_alike(self, store: Store) -> None:
        chance = random.Random(1)
        texts = [
            f"2026-03-01T00:00:{chance.randrange(60):02d}.{chance.randrange(10**6):06d}Z"
            for _ in range(150)
        ] + [f"2026-03-01T00:00:{second:02d}.{second:03d}5Z" for second in range(60)]
        documents = [{"id": str(n), "t": text} for n, text in enumerate(texts)]
        collection = self.fill(store, documents)
        wrong = [
            text
            for number, text in enumerate(texts)
            if str(number)
            not in {
                each.id
                for each in store.find(
                    collection, Query(Comparison(("t",), EQ, instant_of(text)))
                ).documents
            }
        ]
        assert wrong == []

    @pytest.mark.parametrize(("keys", "expected"), ORDERS, ids=str)
    def test_what_is_no_single_value_has_no_place_in_the_order(
        self, store: Store, keys: tuple[SortKey, ...], expected: str
    ) -> None:
        collection = self.fill(store, SORTED)
        assert walk(store, collection, Query(sort=keys, window=Window(0, 100))) == expected
        assert walk(store, collection, Query(sort=keys, window=Window(0, 2))) == expected, "cursors"
        by_offset = ""
        for offset in range(0, 8, 3):
            page = store.find(collection, Query(sort=keys, window=Window(offset, 3)))
            by_offset += "".join(each.id for each in page.documents)
            assert page.total == 8
        assert by_offset == expected, "offsets"

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("path", [("s",), ("s", "n")])
    def test_a_hinted_order_is_the_same(self, store: Store, descending: bool, path: Path) -> None:
        values = ["m", None, "a", "m", None, "z", "b"]
        documents: list[dict[str, Any]] = []
        for id, value in zip("abcdefg", values, strict=True):
            inner = {} if value is None else {path[-1]: value}
            documents.append({"id": id, **({"s": inner} if len(path) > 1 else inner)})
        collection = self.fill(store, documents, Index((path,)), later=True)
        expected = "fdagceb" if descending else "cgadfbe"
        for size in (100, 2, 1):
            query = Query(sort=(SortKey(path, descending),), window=Window(0, size))
            assert walk(store, collection, query) == expected
        for offset in range(8):
            query = Query(sort=(SortKey(path, descending),), window=Window(offset, 2))
            page = store.find(collection, query)
            assert "".join(each.id for each in page.documents) == expected[offset : offset + 2]
            assert page.total == 7

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (Comparison(("a", "0"), EQ, "x"), "b"),
            (Comparison(("a", "10"), EQ, "y"), "b"),
            (Comparison(("0",), EQ, 1), "c"),
            (Comparison(("%30",), EQ, 2), "c"),
            (And((Comparison(("a",), EQ, "x"), Comparison(("a",), EQ, "y"))), "a"),
        ],
        ids=str,
    )
    def test_digits_name_an_attribute_and_no_element(
        self, store: Store, where: Condition, expected: str
    ) -> None:
        documents = [
            {"id": "a", "a": ["x", "y"]},
            {"id": "b", "a": {"0": "x", "10": "y"}},
            {"id": "c", "0": 1, "%30": 2, "٣": 3},
        ]
        collection = self.fill(store, documents)
        assert ids(store, collection, where) == expected
        for document in documents:
            assert store.get(collection, document["id"]).content == dump(document)

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("e$", "a"),
            ("(?m)e$", "ab"),
            (r"e\n$", "b"),
            (r"[$]", "c"),
            (r"\$$", "c"),
            (r"\Q$\E", "c"),
        ],
    )
    def test_a_dollar_is_the_end_of_the_text(
        self, store: Store, pattern: str, expected: str
    ) -> None:
        documents = [
            {"id": "a", "s": "line"},
            {"id": "b", "s": "line\n"},
            {"id": "c", "s": "costs 5$"},
        ]
        collection = self.fill(store, documents)
        assert ids(store, collection, Matches(("s",), pattern)) == expected

    def test_single_bytes_are_no_pattern(self, store: Store) -> None:
        collection = self.fill(store, [{"id": "a", "s": "é"}])
        with pytest.raises(UnsupportedQuery, match="bytes"):
            store.find(collection, Query(Matches(("s",), r"^\C")))

    def test_a_scalar_has_no_parts_to_select(self, store: Store) -> None:
        document = {"id": "a", "s": "x", "l": [1, {"p": 2, "q": 3}], "o": {"p": 1, "q": 2}}
        collection = self.fill(store, [document])
        select = (("id",), ("s", "p"), ("l", "p"), ("o", "p"))
        (found,) = store.find(collection, Query(select=select)).documents
        assert found.content == b'{"id":"a","l":[{"p":2}],"o":{"p":1}}'
        assert store.get(collection, "a").selected(select).content == found.content

    def test_the_total_leaves_out_what_waits_for_its_event(self, store: Store) -> None:
        collection = self.fill(store, [{"id": id} for id in "abcdef"])
        for id in "abc":
            store.delete(collection, id, version=1, events=[b"{}"])
        assert store.find(collection, Query(window=Window(0, 1))).total == 3

    @pytest.mark.parametrize("number", [10**30, 2**63, -(2**63) - 1, 2**63 - 1, -(2**63)])
    def test_long_integers_are_found_among_alternatives_and_within_arrays(
        self, store: Store, number: int
    ) -> None:
        collection = f"long/{uuid.uuid4().hex}"
        store.prepare(collection, [Index((("a",),), many=True), Index((("b", "c"),), many=True)])
        documents = [{"a": number}, {"a": [1, number]}, {"a": 1}, {"b": [{"c": number}, {"c": 2}]}]
        for document, id in zip(documents, "abcd", strict=True):
            store.insert(collection, id, dump({"id": id, **document}))
        here, nested = Comparison(("a",), EQ, number), Comparison(("c",), EQ, number)
        assert ids(store, collection, here) == "ab"
        assert ids(store, collection, Or((here, Comparison(("a",), EQ, -7)))) == "ab"
        assert ids(store, collection, Or((AnyElement(("b",), nested),))) == "d"
        assert ids(store, collection, AnyElement(("b",), Or((nested,)))) == "d"

    @pytest.mark.parametrize("number", [10**30, 2**63, -(2**63) - 2, 10**400])
    def test_the_neighbours_of_a_long_integer_are_not_found(
        self, store: Store, number: int
    ) -> None:
        collection = f"long/{uuid.uuid4().hex}"
        store.prepare(collection, [Index((("a",),)), Index((("b", "c"),), many=True)])
        other = number + (1 if number > 0 else -1)
        documents = [
            {"a": number, "b": [{"c": other}, {"c": [1, other, number]}]},
            {"a": other, "b": [{"c": number}], "d": number},
            {"a": other, "b": [{"c": [[number], other]}], "d": [number]},
            {"a": float(min(abs(number), 10**300)), "b": [{"d": number}], "c": number},
        ]
        for document, id in zip(documents, "abcd", strict=True):
            store.insert(collection, id, dump({"id": id, **document}))
            assert json.loads(store.get(collection, id).content) == {"id": id, **document}
        assert ids(store, collection, Comparison(("a",), EQ, number)) == "a"
        assert ids(store, collection, Comparison(("b", "c"), EQ, number)) == "ab"
        assert ids(store, collection, Comparison(("d",), EQ, number)) == "bc"
        here = AnyElement(("b",), Comparison(("c",), EQ, number))
        assert ids(store, collection, here) == "ab"
        assert ids(store, collection, Not(here)) == "cd"

    @pytest.mark.parametrize("value", [1, None, 10**30, "x", [1], [None]])
    def test_an_array_within_an_array_is_no_object(self, store: Store, value: Any) -> None:
        collection = f"within/{uuid.uuid4().hex}"
        store.prepare(collection, ())
        store.insert(collection, "a", dump({"id": "a", "x": [[value]]}))
        store.insert(collection, "b", dump({"id": "b", "x": [{"c": 1}]}))
        other = AnyElement(("x",), Not(Comparison(("b",), EQ, 1)))
        assert ids(store, collection, other) == "b"
