"""The end of a server: every client that has connected is answered."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from uvicorn.config import Config

from app.server.connections import ConnectionLimits, Connections
from app.server.protocol import GracefulServer

WAITING = 20
REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def connected(port: int, count: int) -> list[socket.socket]:
    clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(count)]
    for client in clients:
        client.sendall(REQUEST)
    return clients


def answer_of(client: socket.socket) -> bytes:
    content = b""
    while part := client.recv(4096):
        content += part
    client.close()
    return content


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_had_connected_when_a_server_stopped_is_answered(loop: str) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = Config(application, loop=loop, lifespan="off", log_config=None)

    async def serve_and_stop() -> list[socket.socket]:
        server = GracefulServer(config, Connections(ConnectionLimits()))
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listening])
        waiting = connected(port, WAITING)  # the loop had no turn to take them up
        await server.shutdown(sockets=[listening])
        return waiting

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        waiting = runner.run(serve_and_stop())
    answers = [answer_of(client) for client in waiting]
    assert len(answers) == WAITING
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 204")
        assert b"connection: close" in answer
    with pytest.raises(ConnectionRefusedError):
        connected(port, 1)
