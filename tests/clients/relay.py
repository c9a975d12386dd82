"""A TCP relay that counts the connections it accepts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread


@dataclass
class Relay:
    """A relay that runs: its port, and how many connections it has accepted."""

    port: int
    connections: int = 0


@contextmanager
def counting_relay(port: int) -> Iterator[Relay]:
    """Relay connections to `port` of this machine until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(listener.getsockname()[1])

        def accept() -> None:
            while True:
                client, _ = listener.accept()
                if stopping:
                    client.close()
                    return
                relay.connections += 1
                server = socket.create_connection(("127.0.0.1", port))
                Thread(target=_copy, args=(client, server), daemon=True).start()
                Thread(target=_copy, args=(server, client), daemon=True).start()

        stopping: list[bool] = []
        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            stopping.append(True)
            socket.create_connection(("127.0.0.1", relay.port)).close()  # accept() returns
            thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy what `source` sends until it ends, and pass the end on."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
