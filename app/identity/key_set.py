"""The keys that verify tokens: a JSON Web Key Set, from a URL or a file (RFC 7517).

Keys are cached, renewed in the background when the cache expires, and read again when a token names
an unknown key, as after a rotation. While the provider cannot be reached the cached keys stay valid
for a day.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import jwt
import orjson

from app.identity.algorithms import ALGORITHMS
from app.identity.errors import KeysUnavailable

_log = logging.getLogger("tmf683.identity")

_FRESH_SECONDS = 300.0
_FRESH_FILE_SECONDS = 5.0
_STALE_SECONDS = 24 * 3600.0
_RETRY_SECONDS = 10.0
"""Seconds between two reads that an unknown key, or a failure, causes."""
_READING_SECONDS = 10.0
_MOST_BYTES = 1024 * 1024
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""What is compressed may be a thousand times as long as what arrives."""
_SMALLEST_RSA = 2048

Read: TypeAlias = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: for the signatures of its kind, or of `algorithm` alone where it says so."""

    id: str | None
    kind: str
    algorithm: str | None
    key: Any

    def fits(self, id: str | None, algorithm: str) -> bool:
        """Whether it may verify a signature by this algorithm, made by the key of this id."""
        named = id is None or self.id is None or self.id == id
        return named and ALGORITHMS[algorithm] == self.kind and self.algorithm in (None, algorithm)


class KeySet:
    """The current keys; belongs to one event loop."""

    def __init__(
        self,
        read: Read,
        *,
        fresh_seconds: float = _FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._fresh = fresh_seconds
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._content = b""
        self._read_at = self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self.generation = 0
        """Grows when the keys change: what an earlier one has verified counts no longer."""

    async def renew(self) -> None:
        """See that the keys can be relied on; waits for them only when there are none.

        Raises:
            KeysUnavailable: there are none, and they cannot be read.
        """
        age = self._clock() - self._read_at
        if age > self._fresh and self._may_read():
            self._begin()
        if age > _STALE_SECONDS:
            if self._reading is not None:
                await asyncio.shield(self._reading)
            if self._clock() - self._read_at > _STALE_SECONDS:
                raise KeysUnavailable("the keys of the identity provider cannot be read")

    async def find(self, id: str | None, algorithm: str) -> Key | None:
        """Return the key that signatures of this kind are verified with, None when unknown.

        Raises:
            KeysUnavailable: see `renew`.
        """
        await self.renew()
        key = self._find(id, algorithm)
        if key is None and self._may_read():
            self._begin()
        if key is None and self._reading is not None:
            await asyncio.shield(self._reading)
            key = self._find(id, algorithm)
        return key

    def _find(self, id: str | None, algorithm: str) -> Key | None:
        found = [key for key in self._keys if key.fits(id, algorithm)]
        exact = [key for key in found if key.id == id]
        found = exact or found
        # Without a name there must be no choice: trying every key invites trouble.
        return found[0] if len(found) == 1 or exact else None

    def _may_read(self) -> bool:
        return self._clock() - self._tried_at >= min(_RETRY_SECONDS, self._fresh)

    def _begin(self) -> None:
        if self._reading is None:
            self._tried_at = self._clock()
            self._reading = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        try:
            content = await self._read()
            keys = tuple(keys_of(content))
            if not keys:
                raise ValueError("it has no usable key")
            self._read_at = self._clock()
            if content != self._content:
                self._content, self._keys = content, keys
                self.generation += 1
        except (httpx.HTTPError, OSError, ValueError) as error:
            _log.warning("the keys of the identity provider cannot be read: %s", error)
        finally:
            self._reading = None


def keys_of(content: bytes) -> list[Key]:
    """Return the usable keys of a key set: public, asymmetric, long enough, for signatures.

    Raises:
        ValueError: it is not a key set.
    """
    document = orjson.loads(content)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it is not a JSON Web Key Set")
    found = (_key(each) for each in listed if isinstance(each, dict))
    return [key for key in found if key is not None]


def _key(described: dict[str, Any]) -> Key | None:
    kind = described.get("kty")
    if kind == "EC":
        kind = f"EC:{described.get('crv')}"
    fitting = [name for name, wanted in ALGORITHMS.items() if wanted == kind]
    algorithm = described.get("alg")
    if not fitting or (algorithm is not None and algorithm not in fitting):
        return None
    # A private part in a published set is no secret any more; whoever has read it could sign.
    if described.get("use", "sig") != "sig" or "d" in described:
        return None
    try:
        key = jwt.PyJWK(described, algorithm=algorithm or fitting[0]).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if kind == "RSA" and key.key_size < _SMALLEST_RSA:
        return None
    id = described.get("kid")
    return Key(id if isinstance(id, str) else None, str(kind), algorithm, key)


def open_key_set(place: str) -> KeySet:
    """Return the key set at a URL, or in a file, which is not read yet."""
    if place.startswith(("https://", "http://")):
        return KeySet(lambda: _fetch(place))
    return KeySet(lambda: _read_file(Path(place)), fresh_seconds=_FRESH_FILE_SECONDS)


async def _fetch(url: str) -> bytes:
    async with (
        asyncio.timeout(_READING_SECONDS),
        httpx.AsyncClient(timeout=5, follow_redirects=False) as client,
        client.stream("GET", url, headers=_HEADERS) as answer,
    ):
        if answer.status_code != 200:
            raise ValueError(f"it answered {answer.status_code}")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ValueError("it is compressed, which was not asked for")
        content = b""
        async for part in answer.aiter_raw():
            content += part
            if len(content) > _MOST_BYTES:
                raise ValueError("it is too long")
        return content


async def _read_file(file: Path) -> bytes:
    return await asyncio.to_thread(file.read_bytes)
