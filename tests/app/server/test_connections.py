"""What a worker's connections may hold together."""

from __future__ import annotations

import asyncio

from app.server.connections import ConnectionLimits, Connections


class Client:
    """A connection with bytes that its client does not read, since some time."""

    deadline: float | None = None

    def __init__(self, unsent: int, since: float) -> None:
        self.unsent = unsent
        self.since = since
        self.aborted = False

    def is_idle(self) -> bool:
        return False

    def end(self) -> None:
        """Not called."""

    def abort(self) -> None:
        self.aborted = True

    def check_reading(self, now: float) -> tuple[int, float]:
        return (0, now) if self.aborted else (self.unsent, self.since)


def swept(limit: int, clients: list[Client]) -> list[bool]:
    async def run() -> None:
        connections = Connections(ConnectionLimits(most_unsent=limit, most_per_address=0))
        for each in clients:
            assert connections.add(each, "")
        connections._sweep()
        for each in clients:
            connections.remove(each)
        connections._sweep()

    asyncio.run(run())
    return [each.aborted for each in clients]


def test_the_slowest_readers_are_cut_off_when_too_much_is_unsent() -> None:
    clients = [Client(100, since) for since in (5.0, 1.0, 3.0, 2.0)]
    assert swept(250, clients) == [False, True, False, True]


def test_nobody_is_cut_off_within_the_bound() -> None:
    assert not any(swept(400, [Client(100, 1.0) for _ in range(4)]))
    assert not any(swept(0, [Client(0, 1.0) for _ in range(4)]))


def test_what_is_unsent_is_bounded_before_the_next_look() -> None:
    async def run() -> list[bool]:
        connections = Connections(ConnectionLimits(most_unsent=250, most_per_address=0))
        clients = [Client(100, since) for since in (1.0, 2.0, 3.0)]
        for each in clients:
            connections.add(each, "")
            connections.note_unsent(each.unsent)
        await asyncio.sleep(0)
        return [each.aborted for each in clients]

    assert asyncio.run(run()) == [True, False, False]
