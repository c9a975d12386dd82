"""An answer leaves in one piece, and nothing of it is held back for long."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from app.server.response_transport import ResponseTransport

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Wire:
    """Notes what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> str:
        return f"the {name}"

    def pause_reading(self) -> str:
        return "paused"


def close_transport(transport: asyncio.Transport) -> None:
    transport.close()


def written(*parts: bytes, turns: int = 0, close: bool = False) -> list[bytes]:
    wire = Wire()

    async def write() -> None:
        loop = asyncio.get_running_loop()
        transport = ResponseTransport(cast(asyncio.Transport, wire), loop, close_transport)
        for part in parts:
            transport.write(part)
            for _ in range(turns):
                await asyncio.sleep(0)
        if close:
            transport.close()

    asyncio.run(write())
    return wire.written


def test_a_head_leaves_with_its_body() -> None:
    assert written(HEAD, b"body", b"more") == [HEAD + b"body", b"more"]
    assert written(HEAD, b"") == [HEAD]
    assert written(HEAD, b"a", HEAD, b"b") == [HEAD + b"a", HEAD + b"b"]


@pytest.mark.parametrize("close", [True, False])
def test_a_head_whose_body_takes_its_time_leaves_before(close: bool) -> None:
    assert written(HEAD, b"body", turns=2, close=close) == [HEAD, b"body"]


def test_a_head_is_sent_before_the_connection_ends() -> None:
    assert written(HEAD, close=True) == [HEAD]


def test_nothing_is_written_to_a_connection_that_is_gone() -> None:
    wire = Wire()

    async def write() -> None:
        transport = ResponseTransport(
            cast(asyncio.Transport, wire), asyncio.get_running_loop(), close_transport
        )
        transport.write(HEAD)
        wire.closed = True
        await asyncio.sleep(0)
        transport.write(b"a body that was long in coming")
        transport.write(HEAD)
        transport.write(b"another")

    asyncio.run(write())
    assert wire.written == []


def test_the_rest_is_the_transport_s_own() -> None:
    transport: Any = ResponseTransport(
        cast(asyncio.Transport, Wire()), cast(Any, None), close_transport
    )
    assert transport.get_extra_info("peername") == "the peername"
    assert transport.pause_reading() == "paused"
    assert not transport.is_closing()
