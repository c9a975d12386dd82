"""What can go wrong before an operation begins, in terms of authentication."""

from __future__ import annotations

from app.tmf630.caller import Access


class NotAuthenticated(Exception):
    """Nobody, or nobody we believe, asks; the message says why, without secrets."""


class AccessMissing(Exception):
    """The caller is known, and is not allowed this; `scope` is the one that would allow it."""

    def __init__(self, access: Access, scope: str) -> None:
        super().__init__(f"the scope {scope} is required")
        self.access = access
        self.scope = scope


class KeysUnavailable(Exception):
    """Tokens cannot be verified, since their keys have never been read, or too long ago."""
