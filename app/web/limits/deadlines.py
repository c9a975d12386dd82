"""Deadlines: many tasks with the same time limit, watched by one timer."""

from __future__ import annotations

import asyncio


class Deadline:
    """The deadline of one task, in the event loop's time."""

    __slots__ = ("_expired", "_task", "at")

    def __init__(self, task: asyncio.Task[object], at: float) -> None:
        self._task = task
        self.at = at
        self._expired = False

    def expire(self) -> None:
        """Cancel the task."""
        self._expired = True
        self._task.cancel()

    def was_cause(self) -> bool:
        """Whether this deadline cancelled the task; takes the cancellation back if it did."""
        return self._expired and self._task.uncancel() == 0


class Deadlines:
    """Deadlines `seconds` after their beginning; they come in order, so one timer is enough."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._running: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> Deadline:
        """Begin a deadline for the current task."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline belongs to a task")
        loop = task.get_loop()
        deadline = Deadline(task, loop.time() + self.seconds)
        self._running[deadline] = None
        if self._timer is None:
            self._timer = loop.call_at(deadline.at, self._sweep)
        return deadline

    def end(self, deadline: Deadline) -> None:
        """End a deadline."""
        self._running.pop(deadline, None)

    def _sweep(self) -> None:
        """Expire the deadlines that have passed, and wait for the next one."""
        self._timer = None
        loop = asyncio.get_running_loop()
        for deadline in tuple(self._running):
            if deadline.at > loop.time():
                self._timer = loop.call_at(deadline.at, self._sweep)
                return
            self.end(deadline)
            deadline.expire()
