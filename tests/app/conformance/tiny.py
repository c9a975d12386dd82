"""A tiny Party Interaction API in memory, right in all the suite asks for unless told otherwise."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

BASE = "/tmf-api/partyInteraction/v4"
COLLECTION = f"{BASE}/partyInteraction"


@dataclass
class TinyApi:
    """The API's state, what reached it, and how it is broken.

    `break_answer` gets method, target, status and value of each answer and returns status and
    value; `encode` makes the body; `finds` says whether an item passes a filter.
    """

    break_answer: Callable[[str, str, int, Any], tuple[int, Any]] = (
        lambda method, target, status, value: (status, value)
    )
    encode: Callable[[Any], bytes] = lambda value: json.dumps(value, ensure_ascii=False).encode()
    finds: Callable[[dict[str, Any], str, str], bool] = lambda item, name, value: (
        item.get(name) == value
    )
    items: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def add(self, body: dict[str, Any]) -> dict[str, Any]:
        id = str(len(self.items) + 45)
        item = {**body, "id": id, "href": f"{self.url}/partyInteraction/{id}"}
        self.items.insert(0, item)
        return item

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        path = unquote(parts.path)
        if path == COLLECTION and method == "POST":
            return 201, self.add(json.loads(body))
        if path == COLLECTION and method == "GET":
            query = [pair for pair in parse_qsl(parts.query) if pair[0] != "fields"]
            return 200, [
                item
                for item in self.items
                if all(self.finds(item, name, value) for name, value in query)
            ]
        for item in self.items:
            if path == f"{COLLECTION}/{item['id']}":
                return 200, item
        return 404, {"code": "404", "reason": "no such resource"}


@contextmanager
def serving(api: TinyApi) -> Iterator[TinyApi]:
    """Serve the API until the block ends; its `url` is set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            api.requests.append((self.requestline, dict(self.headers), body))
            status, value = api.answer(self.command, self.path, body)
            status, value = api.break_answer(self.command, self.path, status, value)
            if status == 0:  # hangs up
                self.close_connection = True
                return
            content = value if isinstance(value, bytes) else api.encode(value)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}{BASE}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate_state(direction: dict[str, int], reason: dict[str, int]) -> list[dict[str, Any]]:
    """Return bodies that hold each direction and each reason so many times."""
    directions = [name for name, count in direction.items() for _ in range(count)]
    reasons = [name for name, count in reason.items() for _ in range(count)]
    return [
        {"direction": one, "reason": other, "channel": [{"id": "555"}]}
        for one, other in zip(directions, reasons, strict=True)
    ]
