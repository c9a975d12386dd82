"""Group commit: the event loop makes writes, and a thread waits for the disk.

A write itself takes as long as a way to a thread and back; what takes long is waiting for another
process to end its own and for the disk. So writes run in the event loop, those that come while the
disk is busy are made together when it is done, and all of them are answered after one commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from app.executor import Call, HandlerExecutor
from storage import Group, StoreError

T = TypeVar("T")
A = TypeVar("A")

_MOST = 16
"""Writes in one commit: what comes behind waits, and other requests have their turn."""


class GroupCommit:
    """Runs calls that write, one after the other, each answered once it is durable."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._thread = HandlerExecutor(1)
        self._waiting: deque[tuple[Call, bool]] = deque()
        self._made: list[Call] = []
        self._begun = False
        self._handed = False

    def run(
        self, function: Callable[[A], T], argument: A, *, long: bool = False
    ) -> asyncio.Future[T]:
        """Call a function; awaiting gives its result or raises its exception.

        One that takes `long` is called in the thread.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((Call(future, function, argument), long))
        if not self._handed:
            self._proceed()
        return future

    def stop(self) -> None:
        """Stop after the thread has finished its current work."""
        self._thread.stop()

    def _proceed(self) -> None:
        """Run the queued writes, and commit them at the end of this loop iteration."""
        if self._waiting and self._waiting[0][1] and not self._made:
            self._make_in_thread()
            return
        fresh = not self._made
        while self._next_is_short() and len(self._made) < _MOST and self._begin():
            call, _ = self._waiting.popleft()
            with self._group.joined():
                call.run()
            self._made.append(call)
        if self._made and fresh:
            asyncio.get_running_loop().call_soon(self._commit)

    def _next_is_short(self) -> bool:
        return bool(self._waiting) and not self._waiting[0][1]

    def _begin(self) -> bool:
        """Begin the group if it can begin at once; else have the thread wait for it."""
        if self._begun:
            return True
        try:
            self._begun = self._group.begin(wait=False)
        except StoreError as error:
            self._fail(error)
            return False
        if not self._begun:
            self._hand(lambda: self._group.begin(wait=True), self._waited)
        return self._begun

    def _commit(self) -> None:
        self._hand(self._group.commit, self._ended)

    def _make_in_thread(self) -> None:
        while self._waiting and self._waiting[0][1] and len(self._made) < _MOST:
            self._made.append(self._waiting.popleft()[0])
        self._hand(self._make, self._ended)

    def _make(self) -> None:
        self._group.begin(wait=True)
        with self._group.joined():
            for call in self._made:
                call.run()
        self._group.commit()

    def _hand(self, work: Callable[[], T], then: Callable[[asyncio.Future[T]], None]) -> None:
        """Run a function in the thread; the group is not used until it has finished."""
        self._handed = True
        self._thread.run(lambda _: work(), None).add_done_callback(then)

    def _waited(self, outcome: asyncio.Future[bool]) -> None:
        """Continue once the lock of other writers was released, or the wait for it failed."""
        self._handed = False
        error = outcome.exception()
        if error is None:
            self._begun = True
        else:
            self._fail(error)
        self._proceed()

    def _ended(self, outcome: asyncio.Future[None]) -> None:
        """Complete the calls whose writes are durable now, or are lost."""
        self._handed = self._begun = False
        error = outcome.exception()
        made, self._made = self._made, []
        for call in made:
            call.error = call.error or error
            call.settle()
        self._proceed()

    def _fail(self, error: BaseException) -> None:
        """Fail all queued calls at once, so that they do not wait for the lock one by one."""
        waiting, self._waiting = self._waiting, deque()
        for call, _ in waiting:
            call.error = error
            call.settle()
