from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.web.group_commit import GroupCommit
from storage import DocumentExists, Query, StoreBusy, StoreError, open_store


class Recorded:
    """A group that keeps a record of what is done with it."""

    def __init__(self) -> None:
        self.record: list[str] = []
        self.busy = 0
        self.failing = ""
        self.committing, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()

    def begin(self, *, wait: bool) -> bool:
        if self.failing == "begin":
            raise StoreError("the disk is gone")
        if self.busy and not wait:
            return False
        self.record.append("begin")
        return True

    @contextmanager
    def joined(self) -> Iterator[None]:
        yield

    def commit(self) -> None:
        if self.failing == "commit":
            raise StoreError("the disk is full")
        self.record.append("commit")
        self.committing.set()
        self.may_end.wait(30)

    def write(self, name: str) -> str:
        self.record.append(name)
        if name == "bad":
            raise DocumentExists("c", name)
        return f"{name} in {threading.current_thread().name}"


def run(group: Recorded, work: Callable[[GroupCommit], Coroutine[Any, Any, None]]) -> list[str]:
    async def main() -> None:
        writes = GroupCommit(group)
        await asyncio.wait_for(work(writes), 60)
        writes.stop()

    asyncio.run(main())
    return group.record


def test_writes_of_one_turn_are_committed_together() -> None:
    group = Recorded()

    async def work(writes: GroupCommit) -> None:
        results = await asyncio.gather(*(writes.run(group.write, each) for each in "abc"))
        assert results == [f"{each} in MainThread" for each in "abc"]

    assert run(group, work) == ["begin", "a", "b", "c", "commit"]


def test_what_comes_during_a_commit_is_made_after_it() -> None:
    group = Recorded()

    async def work(writes: GroupCommit) -> None:
        group.may_end.clear()
        first = writes.run(group.write, "a")
        await asyncio.to_thread(group.committing.wait, 30)
        others = [writes.run(group.write, each) for each in "bc"]
        group.may_end.set()
        await asyncio.gather(first, *others)

    assert run(group, work) == ["begin", "a", "commit", "begin", "b", "c", "commit"]


def test_no_answer_comes_before_the_commit() -> None:
    group = Recorded()

    async def work(writes: GroupCommit) -> None:
        await writes.run(group.write, "a")
        assert group.record[-1] == "commit"

    run(group, work)


def test_many_writes_leave_turns_to_others() -> None:
    group = Recorded()

    async def work(writes: GroupCommit) -> None:
        await asyncio.gather(*(writes.run(group.write, str(each)) for each in range(40)))

    record = run(group, work)
    assert record.count("commit") == 3
    assert [each for each in record if each.isdigit()] == [str(each) for each in range(40)]


def test_a_call_that_fails_fails_alone() -> None:
    group = Recorded()

    async def work(writes: GroupCommit) -> None:
        calls = [writes.run(group.write, each) for each in ("a", "bad", "c")]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results] == [str, DocumentExists, str]

    run(group, work)


@pytest.mark.parametrize("failing", ["begin", "commit"])
@pytest.mark.parametrize("long", [False, True])
def test_a_group_that_fails_fails_every_call_in_it_and_no_other(failing: str, long: bool) -> None:
    group = Recorded()
    group.failing = failing

    async def work(writes: GroupCommit) -> None:
        calls = [writes.run(group.write, each, long=long) for each in "ab"]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results] == [StoreError, StoreError]
        group.failing = ""
        assert await writes.run(group.write, "c")

    assert run(group, work)[-3:] == ["begin", "c", "commit"]


def test_a_call_that_is_cancelled_harms_no_other() -> None:
    group = Recorded()

    async def work(writes: GroupCommit) -> None:
        first, second = writes.run(group.write, "a"), writes.run(group.write, "b")
        first.cancel()
        assert await second

    run(group, work)


def test_long_calls_run_in_a_thread_in_their_turn() -> None:
    group = Recorded()

    async def work(writes: GroupCommit) -> None:
        calls = [
            writes.run(group.write, name, long=name.isupper()) for name in ("a", "B", "C", "d")
        ]
        results = await asyncio.gather(*calls)
        assert [each.split()[-1] for each in results] == [
            "MainThread",
            "handler-0",
            "handler-0",
            "MainThread",
        ]

    assert run(group, work) == [
        *("begin", "a", "commit"),
        *("begin", "B", "C", "commit"),
        *("begin", "d", "commit"),
    ]


def test_waiting_for_another_writer_keeps_nobody_else(tmp_path: Path) -> None:
    """Another process holds the file: the event loop goes on, and the writes come after it."""
    file = tmp_path / "s.db"
    store = open_store(f"sqlite:///{file}", busy_seconds=30)
    store.prepare("c", ())
    holder = sqlite3.connect(file, isolation_level=None)
    group = store.group()
    assert group is not None

    async def work() -> None:
        writes = GroupCommit(group)
        holder.execute("BEGIN IMMEDIATE")
        calls = [writes.run(lambda id: store.insert("c", id, b"{}"), id) for id in "ab"]
        for _ in range(20):  # had the loop waited for the file, the writes would have failed by now
            await asyncio.sleep(0.01)
        assert not any(each.done() for each in calls)
        holder.execute("ROLLBACK")
        await asyncio.gather(*calls)
        writes.stop()

    asyncio.run(work())
    assert store.find("c", Query()).total == 2
    store.close()


def test_a_file_that_stays_held_fails_every_waiting_write_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s.db"
    store = open_store(f"sqlite:///{file}", busy_seconds=0.3)
    store.prepare("c", ())
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    group = store.group()
    assert group is not None
    waits: list[bool] = []
    begin = group.begin

    def counted(*, wait: bool) -> bool:
        waits.append(wait)
        return begin(wait=wait)

    monkeypatch.setattr(group, "begin", counted)

    async def work() -> None:
        writes = GroupCommit(group)
        calls = [writes.run(lambda id: store.insert("c", id, b"{}"), id) for id in "abcde"]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results] == [StoreBusy] * 5
        assert waits == [False, True], "the five writes wait once for the file"
        holder.execute("ROLLBACK")
        await writes.run(lambda id: store.insert("c", id, b"{}"), "f")
        writes.stop()

    asyncio.run(work())
    assert store.find("c", Query()).total == 1
    store.close()
