"""API keys: stored as digests in the settings.

A key is 256 random bits, so one round of SHA-256 keeps it; a password would need more.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable

from app.identity.errors import NotAuthenticated
from app.tmf630.caller import Access, Identity

KEY_PREFIX = "tmf_"
"""What every key that is made here begins with."""

_ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9._-]{1,64}):(?P<access>[a-z+]+):(?P<digest>[0-9a-f]{64})"
    r"(:(?P<parties>[^:,\s]+))?"
)


class ApiKeys:
    """The keys that the settings list."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._identities = dict(map(parse_entry, entries))

    def identity_of(self, key: str) -> Identity:
        """Return the caller of a key.

        Raises:
            NotAuthenticated: the key is not known.
        """
        # The digest is looked up: the time that takes reveals nothing about any key.
        identity = self._identities.get(digest_of(key))
        if identity is None:
            raise NotAuthenticated("the API key is not known")
        return identity


def parse_entry(entry: str) -> tuple[str, Identity]:
    """Return the digest and identity of an entry, `name:access+access:digest[:party+party]`.

    Raises:
        ValueError: it is not one; the message says what is.
    """
    found = _ENTRY.fullmatch(entry)
    if not found:
        raise ValueError("an API key is written name:access+access:sha256[:party+party]")
    words = found["access"].split("+")
    known = [each.value for each in Access]
    for word in words:
        if word not in known:
            raise ValueError(f"{word!r} is not an access; known are {', '.join(known)}")
    parties = tuple(found["parties"].split("+")) if found["parties"] else None
    if parties is not None and not all(parties):
        raise ValueError("an API key names a party with no id")
    identity = Identity(found["name"], "key", frozenset(map(Access, words)), parties)
    return found["digest"], identity


def make_key(name: str, access: Iterable[Access], parties: Iterable[str] = ()) -> tuple[str, str]:
    """Return a new key, and its entry in the settings."""
    key = f"{KEY_PREFIX}{secrets.token_urlsafe(32)}"
    entry = f"{name}:{'+'.join(access)}:{digest_of(key)}"
    bound = "+".join(parties)
    return key, f"{entry}:{bound}" if bound else entry


def digest_of(key: str) -> str:
    """Return the SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()
