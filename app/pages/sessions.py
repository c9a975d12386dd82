"""Sessions: what a browser proves itself with, sealed in a cookie that scripts cannot read.

Workers and servers share nothing but the key, so the session lies with the browser, encrypted and
authenticated. It ends with the browser, or after twelve hours.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

COOKIE = "tmf_session"
SECONDS = 12 * 3600

_PART = 3500
"""Characters in one cookie: browsers keep 4096 bytes of each, its name and attributes included."""
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Session:
    """What the server knows of a browser.

    `csrf` is the token that its forms send back. `headers` are those that prove who uses it, as
    the API takes them: a key or a bearer token; `name` is what to call that user. `refresh` renews
    a bearer token that ends at `expires`, in seconds since 1970; without one it is "".
    """

    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    refresh: str = ""
    expires: float = 0.0

    def signed_in(
        self, headers: dict[str, str], name: str, refresh: str = "", expires: float = 0.0
    ) -> Session:
        """Return the session of somebody who has signed in, under a new token for forms."""
        return Session(headers=headers, name=name, refresh=refresh, expires=expires)


class Sessions:
    """Seals sessions into cookies and opens them."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(b"tmf683 session\n" + key.encode()).digest()

    @cached_property
    def _fernet(self) -> Fernet:
        from cryptography.fernet import Fernet  # slow to import, and not every server has readers

        return Fernet(base64.urlsafe_b64encode(self._key))

    def seal(self, content: object) -> str:
        """Return content as text that nobody can read or forge."""
        return self._fernet.encrypt(orjson.dumps(content)).decode()

    def unseal(self, text: str, seconds: int = SECONDS) -> dict[str, Any] | None:
        """Return what was sealed, None when it was not here or longer ago."""
        from cryptography.fernet import InvalidToken

        try:
            content = orjson.loads(self._fernet.decrypt(text.encode(), ttl=seconds))
        except (InvalidToken, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def open(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session that a browser's cookies hold, None when they hold none."""
        text = "".join(cookies.get(name, "") for name in _names())
        content = self.unseal(text) if text else None
        return None if content is None else Session(**content)

    def cookies(self, session: Session) -> dict[str, str]:
        """Return the cookies that hold a session; an empty value deletes what is not needed."""
        text = self.seal(asdict(session))
        if len(text) > _PART * _PARTS and session.refresh:
            text = self.seal(asdict(replace(session, refresh="")))  # signing in again is possible
        if len(text) > _PART * _PARTS:
            raise ValueError("the token is too long for cookies")
        return {
            name: text[number * _PART : (number + 1) * _PART]
            for number, name in enumerate(_names())
        }


def _names() -> list[str]:
    return [COOKIE, *(f"{COOKIE}{number}" for number in range(1, _PARTS))]
