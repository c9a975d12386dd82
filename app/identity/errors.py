"""Authentication and authorization errors."""

from __future__ import annotations

from app.tmf630.caller import Access


class NotAuthenticated(Exception):
    """Credentials are missing, malformed or not trusted (401); the message holds no secrets."""


class NoCredentials(NotAuthenticated):
    """The request has no credentials."""

    def __init__(self) -> None:
        super().__init__("the request has no bearer token and no API key")


class AccessMissing(Exception):
    """The caller is authenticated and lacks a scope (403); `scope` names it."""

    def __init__(self, access: Access, scope: str) -> None:
        super().__init__(f"the scope {scope} is required")
        self.access = access
        self.scope = scope


class KeysUnavailable(Exception):
    """Tokens cannot be verified: their keys were never read, or too long ago (503)."""
