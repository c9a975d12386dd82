"""The issuer's keys: kept, renewed, rotated, and relied on while the issuer is away."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app.identity import key_set
from app.identity.errors import KeysUnavailable
from app.identity.key_set import KeySet, open_key_set
from tests.issuer import Issuer

FIRST, SECOND = Issuer(), Issuer()


class Provider:
    """What the keys are read from, and the time."""

    def __init__(self) -> None:
        self.issuer = FIRST
        self.away = False
        self.reads = 0
        self.now = 1000.0
        self.keys = KeySet(self.read, clock=lambda: self.now)

    async def read(self) -> bytes:
        self.reads += 1
        if self.away:
            raise OSError("away")
        return self.issuer.published()

    async def key(self, id: str = "rsa") -> object:
        found = await self.keys.find(id, "RS256")
        return found.key.public_numbers() if found else None

    async def settled(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


def with_provider(story: Callable[[Provider], Awaitable[None]]) -> None:
    asyncio.run(story(Provider()))


def test_keys_are_read_once_while_they_are_fresh() -> None:
    async def story(provider: Provider) -> None:
        for _ in range(10):
            provider.now += 20
            assert await provider.key()
        assert provider.reads == 1

    with_provider(story)


def test_many_at_once_cause_one_reading() -> None:
    async def story(provider: Provider) -> None:
        found = await asyncio.gather(*(provider.key() for _ in range(50)))
        assert all(found)
        assert provider.reads == 1

    with_provider(story)


def test_keys_that_are_not_fresh_are_renewed_without_anybody_waiting() -> None:
    async def story(provider: Provider) -> None:
        before = await provider.key()
        provider.issuer = SECOND
        provider.now += 301
        assert await provider.key() == before
        await provider.settled()
        assert await provider.key() != before
        assert provider.keys.generation == 2

    with_provider(story)


def test_an_unknown_key_is_looked_for_at_once_but_not_again_and_again() -> None:
    async def story(provider: Provider) -> None:
        await provider.key()
        provider.now += 11
        for _ in range(20):
            assert await provider.key("new") is None
        assert provider.reads == 2
        rotated = FIRST.key_set()
        rotated["keys"][0]["kid"] = "new"

        async def read() -> bytes:
            return json.dumps(rotated).encode()

        provider.keys._read = read
        provider.now += 11
        assert await provider.key("new")

    with_provider(story)


def test_while_the_provider_is_away_the_keys_go_on_for_a_day() -> None:
    async def story(provider: Provider) -> None:
        await provider.key()
        provider.away = True
        for _ in range(200):
            provider.now += 400
            assert await provider.key()
            await provider.settled()
        provider.now += 2 * 3600
        with pytest.raises(KeysUnavailable):
            await provider.key()
        provider.away = False
        provider.now += 11
        assert await provider.key()

    with_provider(story)


def test_a_provider_that_was_never_there_is_asked_now_and_then() -> None:
    async def story(provider: Provider) -> None:
        provider.away = True
        for _ in range(20):
            provider.now += 1
            with pytest.raises(KeysUnavailable):
                await provider.key()
        assert provider.reads == 2

    with_provider(story)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[{}]}', b"<html>"])
def test_an_answer_that_is_no_key_set_leaves_the_keys_as_they_were(answer: bytes) -> None:
    async def story(provider: Provider) -> None:
        before = await provider.key()

        async def read() -> bytes:
            return answer

        provider.keys._read = read
        provider.now += 301
        await provider.key()
        await provider.settled()
        assert await provider.key() == before

    with_provider(story)


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(FIRST.published())

    async def story() -> None:
        assert await open_key_set(str(file)).find("ec", "ES256")

    asyncio.run(story())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("/keys", True),
        ("/moved", False),
        ("/gone", False),
        ("/compressed", False),
        ("/endless", False),
        ("/slow", False),
    ],
)
def test_keys_come_from_an_address_that_answers_with_them_itself(
    path: str, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_set, "_READING_SECONDS", 4.0)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = {"/moved": 302, "/gone": 500}.get(self.path, 200)
            self.send_response(status)
            self.send_header("Location", "/keys")
            if self.path == "/compressed":
                assert self.headers["Accept-Encoding"] == "identity"
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            if self.path in ("/endless", "/slow"):
                slow = self.path == "/slow"
                try:
                    for _ in range(64):
                        self.wfile.write(b" " if slow else b" " * 65536)
                        time.sleep(0.1 if slow else 0)
                except OSError:
                    return
            if self.path == "/compressed":
                self.wfile.write(gzip.compress(FIRST.published()))
            elif self.path != "/endless":
                self.wfile.write(FIRST.published())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()

    async def story() -> bool:
        keys = open_key_set(f"http://127.0.0.1:{server.server_port}{path}")
        try:
            return await keys.find("rsa", "RS256") is not None
        except KeysUnavailable:
            return False

    try:
        assert asyncio.run(story()) is good
    finally:
        server.shutdown()
        server.server_close()
