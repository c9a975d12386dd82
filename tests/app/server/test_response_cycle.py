"""A response that is known as a whole is written in one piece, and its framing is HTTP/1.1's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httptools
import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from app.server.connections import ConnectionLimits, Connections
from app.server.protocol import BoundedConnection
from app.server.response_cycle import complete_response

JSON = (b"content-type", b"application/json")


def bytes_of(
    *headers: tuple[bytes, bytes],
    body: bytes = b"",
    status: int = 200,
    keep_alive: bool = True,
    is_head: bool = False,
) -> bytes | None:
    return complete_response(status, headers, body, keep_alive=keep_alive, is_head=is_head)


def test_the_head_and_the_body_are_one_piece() -> None:
    sent = bytes_of(JSON, (b"Content-Length", b"2"), (b"content-length", b"2"), body=b"{}")
    assert sent == (
        b"HTTP/1.1 200 OK\r\n"
        b"content-type: application/json\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}"
    )


def test_a_connection_that_ends_is_announced() -> None:
    sent = bytes_of((b"content-length", b"1"), body=b"x", keep_alive=False)
    assert sent == b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"


def test_an_answer_to_head_has_the_length_and_no_body() -> None:
    sent = bytes_of((b"content-length", b"5"), body=b"", is_head=True)
    assert sent == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_needs_no_length(status: int) -> None:
    sent = bytes_of((b"etag", b'"1"'), status=status)
    assert sent is not None
    assert sent.endswith(b'etag: "1"\r\n\r\n')


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([], b"no length"),
        ([(b"content-length", b"3")], b"another length"),
        ([(b"content-length", b"1"), (b"connection", b"close")], b"x"),
        ([(b"transfer-encoding", b"chunked")], b"x"),
    ],
)
def test_what_needs_more_than_a_length_is_left_to_uvicorn(
    headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> None:
    assert bytes_of(*headers, body=body) is None


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\0b", b"a\x7f"])
def test_a_value_cannot_begin_another_header(value: bytes) -> None:
    with pytest.raises(ValueError, match="control character"):
        bytes_of((b"content-length", b"0"), (b"link", value))


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\nb"])
def test_a_name_is_a_token(name: bytes) -> None:
    with pytest.raises(ValueError, match="token"):
        bytes_of((b"content-length", b"0"), (name, b"x"))


def exchange(*messages: Message, method: str = "GET") -> list[bytes]:
    """Return what a connection writes when the application sends these messages."""
    written: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    class Wire(asyncio.Transport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

        def write(self, data: bytes | bytearray | memoryview) -> None:
            written.append(bytes(data))

        def is_closing(self) -> bool:
            return False

        def close(self) -> None:
            return

        def can_write_eof(self) -> bool:
            return False

        def pause_reading(self) -> None:
            return

        def resume_reading(self) -> None:
            return

    async def run() -> None:
        config = Config(app, lifespan="off", log_level="critical", server_header=False)
        config.load()
        state = ServerState()
        state.default_headers = []
        connection = BoundedConnection(
            config=config,
            server_state=state,
            app_state={},
            connections=Connections(ConnectionLimits()),
        )
        connection.connection_made(Wire())
        connection.data_received(f"{method} / HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        await asyncio.gather(*state.tasks)
        connection.connection_lost(None)

    asyncio.run(run())
    return written


START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}


def test_a_response_in_one_part_is_one_write() -> None:
    assert exchange(START, {"type": "http.response.body", "body": b"body"}) == [
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"
    ]


def test_a_body_message_may_be_without_a_body() -> None:
    start = {"type": "http.response.start", "status": 204, "headers": []}
    assert exchange(start, {"type": "http.response.body"}) == [b"HTTP/1.1 204 No Content\r\n\r\n"]


def test_a_response_in_parts_is_written_in_parts() -> None:
    parts = [
        {"type": "http.response.body", "body": b"bo", "more_body": True},
        {"type": "http.response.body", "body": b"dy"},
    ]
    sent = exchange(START, *parts)
    assert b"".join(sent).endswith(b"\r\n\r\nbody")
    assert len(sent) > 1


def test_a_start_without_a_body_becomes_an_error() -> None:
    sent = b"".join(exchange(START))
    assert sent.startswith(b"HTTP/1.1 500 ")
    assert sent.count(b"HTTP/1.1") == 1


def test_a_header_that_is_none_becomes_an_error() -> None:
    start = {**START, "headers": [(b"content-length", b"4"), (b"link", b"a\r\nb: c")]}
    sent = b"".join(exchange(start, {"type": "http.response.body", "body": b"body"}))
    assert sent.startswith(b"HTTP/1.1 500 ")
    assert b"b: c" not in sent
    httptools.HttpResponseParser(None).feed_data(sent)
