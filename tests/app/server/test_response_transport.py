"""Responses are written to a connection that is there, and end it as the protocol decides."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from app.server.response_transport import ResponseTransport

RESPONSE = b"HTTP/1.1 204 No Content\r\n\r\n"


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


def test_nothing_is_written_to_a_connection_that_is_gone() -> None:
    wire = Wire()
    transport = ResponseTransport(cast(asyncio.Transport, wire), close_transport)
    transport.write(RESPONSE)
    wire.closed = True
    transport.write(b"another")
    assert wire.written == [RESPONSE]


def test_the_end_is_decided_once() -> None:
    ends: list[asyncio.Transport] = []
    wire = cast(asyncio.Transport, Wire())
    transport = ResponseTransport(wire, ends.append)
    transport.close()
    transport.close()
    assert ends == [wire]
    assert transport.is_closing()


def test_the_rest_is_the_transport_s_own() -> None:
    transport: Any = ResponseTransport(cast(asyncio.Transport, Wire()), close_transport)
    assert transport.get_extra_info("peername") == "the peername"
    assert transport.pause_reading() == "paused"
    assert not transport.is_closing()
