"""Connections of a server: those that do not read, and those that wait when it ends."""

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


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("pipelined", [True, False])
def test_a_request_waits_until_the_response_before_it_is_read(loop: str, pipelined: bool) -> None:
    body, requests = b"x" * 8_000_000, 3
    begun = 0

    async def large(scope: Any, receive: Any, send: Any) -> None:
        nonlocal begun
        begun += 1
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = Config(large, loop=loop, lifespan="off", log_config=None)

    async def ask() -> None:
        server = GracefulServer(config, Connections(ConnectionLimits()))
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listening])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for each in [REQUEST * requests] if pipelined else [REQUEST] * requests:
            writer.write(each)
            if begun == 0:
                await reader.readexactly(1)
            for _ in range(20):
                await asyncio.sleep(0)
        assert begun == 1
        received = 1
        while received < requests * len(body):
            received += len(await reader.read(1_000_000))
        assert begun == requests
        writer.close()
        await server.shutdown(sockets=[listening])

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(asyncio.wait_for(ask(), 60))
