"""Optimistic concurrency: every update is based on the newest state, or reported as given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from storage import (
    Delete,
    Document,
    DocumentNotFound,
    Store,
    UpdateContended,
    Write,
    open_store,
    put,
    remove,
    update,
)
from storage.update import ATTEMPTS, Change


@pytest.fixture
def store() -> Iterator[Store]:
    store = open_store("memory:")
    store.prepare("c", ())
    yield store
    store.close()


class Interfering:
    """A decision before whose writes another writer comes, for some calls."""

    def __init__(self, times: int, interfere: Callable[[], object], change: Change) -> None:
        self.seen: list[bytes | None] = []
        self._times = times
        self._interfere = interfere
        self._change = change

    def __call__(self, present: Document | None) -> Change:
        self.seen.append(present and present.content)
        if len(self.seen) <= self._times:
            self._interfere()
        return self._change


def test_an_absent_document_is_inserted_and_a_present_one_replaced(store: Store) -> None:
    written = update(store, "c", "a", lambda present: Write(b"[1]", "4", [b"{}"]))
    assert written == Document("a", 1, b"[1]", "4")
    written = update(store, "c", "a", lambda present: Write((present or written).content + b" "))
    assert written == Document("a", 2, b"[1] ", "")
    assert len(store.events(0, 10)) == 1


def test_a_decision_to_write_nothing_leaves_the_document(store: Store) -> None:
    assert update(store, "c", "a", lambda _: None) is None
    stored = store.insert("c", "a", b"[1]")
    assert update(store, "c", "a", lambda _: None) == stored


def test_a_change_in_between_starts_the_update_again(store: Store) -> None:
    def interfere() -> None:
        put(store, "c", "a", b"[2]")

    decide = Interfering(2, interfere, Write(b"[3]"))
    assert update(store, "c", "a", decide) == Document("a", 3, b"[3]", "")
    assert decide.seen == [None, b"[2]", b"[2]"]


def test_a_deletion_in_between_starts_the_update_again(store: Store) -> None:
    store.insert("c", "a", b"[1]")
    decide = Interfering(1, lambda: remove(store, "c", "a"), Write(b"[3]"))
    assert update(store, "c", "a", decide) == Document("a", 1, b"[3]", "")
    assert decide.seen == [b"[1]", None]


def test_a_deletion_follows_the_newest_version(store: Store) -> None:
    store.insert("c", "a", b"[1]")
    decide = Interfering(1, lambda: put(store, "c", "a", b"[2]"), Delete([b"{}"]))
    assert update(store, "c", "a", decide) is None
    assert decide.seen == [b"[1]", b"[2]"]
    assert len(store.events(0, 10)) == 1
    with pytest.raises(DocumentNotFound):
        store.get("c", "a")


def test_deleting_what_is_absent_does_nothing(store: Store) -> None:
    remove(store, "c", "a")
    assert update(store, "c", "a", lambda _: Delete([b"{}"])) is None
    assert store.events(0, 10) == ()


def test_an_update_that_never_comes_first_is_given_up(store: Store) -> None:
    decide = Interfering(ATTEMPTS + 1, lambda: put(store, "c", "a", b"[2]"), Write(b"[3]"))
    with pytest.raises(UpdateContended):
        update(store, "c", "a", decide)
    assert len(decide.seen) == ATTEMPTS


def test_an_exception_of_the_decision_ends_the_update(store: Store) -> None:
    def decide(present: Document | None) -> Change:
        raise DocumentNotFound("other", "b")

    with pytest.raises(DocumentNotFound, match="other b"):
        update(store, "c", "a", decide)
