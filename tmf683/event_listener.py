"""A listener for events, for tests and conformance runs: an HTTP server on a free port."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LARGEST = 8 * 1024 * 1024


class EventListener:
    """Receives events on a free port of this machine, from entering the context to leaving it.

    `address` is the scheme and host under which the server reaches this machine.
    """

    def __init__(self, address: str) -> None:
        self._events: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"{address.rstrip('/')}:{self._server.server_port}/events"

    def __enter__(self) -> EventListener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, type: str, id: str | int, seconds: float) -> dict[str, Any] | None:
        """Return the event of a type about a resource, None when none arrives in time."""
        found: list[dict[str, Any]] = []

        def arrived() -> bool:
            found[:] = [
                each
                for each in self._events
                if str(each.get("eventType")).lower() == type.lower()
                and json.dumps(id) in json.dumps(each.get("event"))
            ]
            return bool(found)

        with self._arrived:
            self._arrived.wait_for(arrived, timeout=seconds)
        return found[0] if found else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length") or 0), _LARGEST)
                try:
                    event = json.loads(self.rfile.read(length))
                except ValueError:
                    event = None
                if isinstance(event, dict):
                    with listener._arrived:
                        listener._events.append(event)
                        listener._arrived.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Write no log lines."""

        return Handler
