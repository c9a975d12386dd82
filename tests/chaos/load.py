"""Writers that change resources of their own, readers that watch them, and a listener."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.chaos.ledger import DELETION, Ledger

API = "/tmf-api/partyInteraction/v4"
COLLECTION = f"{API}/partyInteraction"
BODY = {"channel": [{"id": "555"}], "direction": "inbounds"}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)


class Load:
    """Threads that use a server until they are told to stop."""

    def __init__(self, url: str, ledger: Ledger, seed: int, *, pause: float) -> None:
        self._url = url
        self._ledger = ledger
        self._pause = pause
        self._stop = threading.Event()
        self._watched: dict[int, tuple[str, int]] = {}
        self._threads = [
            *(threading.Thread(target=self._write, args=(seed, each)) for each in range(4)),
            *(threading.Thread(target=self._read, args=(seed, each)) for each in range(2)),
        ]

    def start(self) -> None:
        """Begin."""
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """End, once the requests in flight are answered."""
        self._stop.set()
        for each in self._threads:
            each.join()

    def _write(self, seed: int, writer: int) -> None:
        chance = random.Random(f"{seed} writer {writer}")
        with self._client() as client:
            while not self._stop.is_set():
                self._live(client, chance, writer)

    def _live(self, client: httpx.Client, chance: random.Random, writer: int) -> None:
        """Create a resource, change it some times, and delete it perhaps."""
        mark = f"{writer}-{chance.getrandbits(60):x}"
        body = BODY | {"reason": mark, "description": "0"}
        begun = time.monotonic()
        answer = self._send(client, "POST", COLLECTION, body)
        if answer is None or answer.status_code != 201:
            return  # it may be there all the same: nobody knows its id
        id = answer.json()["id"]
        self._ledger.attempt(id, 0, begun)
        self._ledger.acknowledge(id, 0)
        self._watched[writer] = (id, 0)
        for number in range(1, chance.randint(2, 40)):
            if self._stop.is_set():
                return
            content: Any = {"description": str(number)}
            kind = "application/merge-patch+json"
            if chance.random() < 0.2:
                content = [{"op": "replace", "path": "/description", "value": str(number)}]
                kind = "application/json-patch+json"
            if self._change(client, "PATCH", id, number, content, kind):
                self._watched[writer] = (id, number)
            self._stop.wait(chance.random() * self._pause)
        if chance.random() < 0.5:
            self._watched.pop(writer, None)
            self._change(client, "DELETE", id, DELETION)

    def _change(
        self,
        client: httpx.Client,
        method: str,
        id: str,
        number: int,
        content: Any = None,
        kind: str = "",
    ) -> bool:
        self._ledger.attempt(id, number, time.monotonic())
        answer = self._send(client, method, f"{COLLECTION}/{id}", content, kind)
        if answer is not None and answer.is_success:
            self._ledger.acknowledge(id, number)
            return True
        repeated = answer is not None and answer.status_code == 404 and method == "DELETE"
        if answer is not None and answer.status_code < 500 and not repeated:
            self._ledger.problem(f"refused: {method} {id} {number}: {answer.text[:200]}")
        return False

    def _send(
        self, client: httpx.Client, method: str, path: str, content: Any, kind: str = ""
    ) -> httpx.Response | None:
        """Return the answer; None when there is none."""
        headers = {"Content-Type": kind or "application/json"}
        body = None if content is None else json.dumps(content)
        try:
            answer = client.request(method, self._url + path, content=body, headers=headers)
        except httpx.TransportError as error:
            self._ledger.count("not reached" if isinstance(error, _NOT_SENT) else "no answer")
            self._stop.wait(0.1)
            return None
        if answer.status_code >= 500:
            self._ledger.count(f"answered {answer.status_code}")
            if answer.status_code not in (503, 504):
                self._ledger.problem(f"failed: {answer.status_code} {answer.text[:200]}")
            self._stop.wait(0.1)
        return answer

    def _read(self, seed: int, reader: int) -> None:
        chance = random.Random(f"{seed} reader {reader}")
        with self._client() as client:
            while not self._stop.is_set():
                watched = list(self._watched.values())
                if not watched:
                    self._stop.wait(0.05)
                    continue
                self._check(client, *chance.choice(watched), listed=chance.random() < 0.3)
                self._stop.wait(chance.random() * self._pause)

    def _check(self, client: httpx.Client, id: str, least: int, *, listed: bool) -> None:
        """Read a resource: it has at least what was acknowledged before."""
        path = f"{COLLECTION}?id={id}&limit=5" if listed else f"{COLLECTION}/{id}"
        answer = self._send(client, "GET", path, None)
        if answer is None or answer.status_code >= 500:
            return
        self._ledger.count("read")
        resource = self._ledger.resources[id]
        found = answer.json() if listed else [answer.json()] if answer.is_success else []
        if not found:
            if DELETION not in resource.attempted:
                self._ledger.problem(f"lost: {id} is not found, acknowledged {least}")
            return
        number = int(found[0]["description"])
        if number < least:
            self._ledger.problem(f"lost: {id} reads {number}, acknowledged {least}")
        elif number not in resource.attempted:
            self._ledger.problem(f"invented: {id} reads {number}")

    @staticmethod
    def _client() -> httpx.Client:
        return httpx.Client(trust_env=False, timeout=60)


def stored(url: str) -> dict[str, int]:
    """Return the number of the last change of each resource that is stored."""
    found: dict[str, int] = {}
    with httpx.Client(trust_env=False, timeout=60) as client:
        next_: str | None = f"{url}{COLLECTION}?limit=1000&fields=id,description"
        while next_:
            answer = client.get(next_).raise_for_status()
            found |= {each["id"]: int(each["description"]) for each in answer.json()}
            next_ = answer.links.get("next", {}).get("url")
    return found


@contextmanager
def listening(ledger: Ledger) -> Iterator[str]:
    """Run listeners, one for each path; return their URL. One request in a hundred is refused."""
    chance = random.Random(683)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            resource = event["event"]["partyInteraction"]
            deleted = "Delete" in event["eventType"]
            number = DELETION if deleted else int(resource["description"])
            if chance.random() < 0.01:
                self.send_response(503)
            else:
                ledger.deliver(self.path, resource["id"], number, event["eventId"])
                self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """Nothing is printed of deliverers that are killed while they send."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
