"""The identity provider as a place where people sign in: OpenID Connect, authorization code, PKCE.

This server is a public client: it has no secret, and proves by PKCE (RFC 7636) that who redeems a
code is who asked for it. Authlib makes and checks the messages.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.deprecate import AuthlibDeprecationWarning

from app.identity.exposure import is_loopback

with warnings.catch_warnings():
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    # Authlib announces that it will move to another HTTP library
    from authlib.integrations.httpx_client import OAuth2Client

_SECONDS = 10.0
_FRESH_SECONDS = 300.0
_WELL_KNOWN = "/.well-known/openid-configuration"


class ProviderFailed(Exception):
    """The provider is away, or does not do what OpenID Connect asks of it."""


class SignInRefused(Exception):
    """The provider does not let the reader in, or its answer belongs to no request of ours."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a reader signed in for.

    `refresh` renews the access token, "" where the provider gave none; `expires` is when the access
    token ends, in seconds since 1970, 0 where the provider does not say.
    """

    access: str
    refresh: str = ""
    expires: float = 0.0


class IdentityProvider:
    """Leads readers to the provider and redeems what they come back with.

    Used from threads. `scopes` are asked for beside `openid`.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        scopes: Iterable[str],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._scope = " ".join(["openid", *scopes])
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._metadata: Mapping[str, Any] = {}
        self._read_at = float("-inf")

    def authorization(self, redirect_uri: str, state: str, verifier: str) -> str:
        """Return the address at which a reader signs in.

        Raises:
            ProviderFailed: the provider does not say where that is.
        """
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                self._endpoint("authorization_endpoint"), state=state, code_verifier=verifier
            )
        return str(url)

    def redeem(self, redirect_uri: str, answer: str, state: str, verifier: str) -> Tokens:
        """Return the tokens for the address at which a reader came back.

        Raises:
            ProviderFailed: the provider cannot be reached.
            SignInRefused: the answer is a refusal, belongs to another request, or is used up.
        """
        stated = parse_qs(urlsplit(answer).query)
        if "error" in stated:
            raise SignInRefused(stated.get("error_description", stated["error"])[0])
        endpoint = self._endpoint("token_endpoint")
        try:
            with self._client(redirect_uri, state) as client:
                token = client.fetch_token(
                    endpoint, authorization_response=answer, code_verifier=verifier
                )
        except AuthlibBaseError as error:
            raise SignInRefused(error.description or error.error) from None
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderFailed(f"the identity provider does not answer: {error}") from None
        return self._tokens(token)

    def renew(self, refresh: str) -> Tokens:
        """Return new tokens for a refresh token (RFC 6749 §6), which may be good only once.

        Raises:
            ProviderFailed: the provider cannot be reached.
            SignInRefused: the refresh token is not good any more.
        """
        endpoint = self._endpoint("token_endpoint")
        try:
            with self._client() as client:
                token = client.refresh_token(endpoint, refresh_token=refresh)
        except AuthlibBaseError as error:
            raise SignInRefused(error.description or error.error) from None
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderFailed(f"the identity provider does not answer: {error}") from None
        return self._tokens(token, refresh)

    def _tokens(self, answer: Mapping[str, Any], refresh: str = "") -> Tokens:
        access = answer.get("access_token")
        if not isinstance(access, str) or str(answer.get("token_type", "")).lower() != "bearer":
            raise ProviderFailed("the identity provider's answer has no bearer token")
        try:
            expires = self._now() + float(answer["expires_in"])
        except (KeyError, TypeError, ValueError):
            expires = 0.0
        renewed = answer.get("refresh_token")
        return Tokens(access, renewed if isinstance(renewed, str) else refresh, expires)

    def _client(self, redirect_uri: str | None = None, state: str | None = None) -> OAuth2Client:
        return OAuth2Client(
            client_id=self._client_id,
            token_endpoint_auth_method="none",  # noqa: S106 - the name of a method
            redirect_uri=redirect_uri,
            scope=self._scope,
            state=state,
            code_challenge_method="S256",
            timeout=_SECONDS,
        )

    def _endpoint(self, name: str) -> str:
        """Return an endpoint by the provider's metadata (OpenID Connect Discovery 1.0 §3)."""
        with self._lock:
            if self._clock() - self._read_at > _FRESH_SECONDS:
                self._metadata = self._read()
                self._read_at = self._clock()
        url = str(self._metadata.get(name, ""))
        if not _is_safe(url):
            raise ProviderFailed(f"the identity provider has no {name} with https")
        return url

    def _read(self) -> Mapping[str, Any]:
        url = self._issuer.rstrip("/") + _WELL_KNOWN
        if not _is_safe(url):
            raise ProviderFailed("the issuer's address has no https")
        try:
            found = httpx.get(url, timeout=_SECONDS).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderFailed(f"the identity provider does not answer: {error}") from None
        if not isinstance(found, dict) or found.get("issuer") != self._issuer:
            raise ProviderFailed("the identity provider's metadata is of another issuer")
        return found


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
