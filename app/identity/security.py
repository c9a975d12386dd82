"""Security: connexion asks these for the caller, by the schemes that the contract declares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from connexion.lifecycle import ConnexionRequest
from connexion.security import NO_VALUE, AbstractSecurityHandler

from app.identity.api_keys import ApiKeys
from app.identity.errors import AccessMissing, NotAuthenticated
from app.observability.request_record import record_of
from app.settings import Settings
from app.tmf630.caller import Access, Identity

if TYPE_CHECKING:
    from app.identity.tokens import TokenVerifier

KEY_HEADER = "X-API-Key"
"""The header that carries an API key; the overlay says so too."""

Verify: TypeAlias = Callable[[ConnexionRequest], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Authenticators:
    """What proves identities, and the names that scopes have for kinds of access."""

    scopes: Mapping[str, Access]
    tokens: TokenVerifier | None = None
    api_keys: ApiKeys | None = None

    def __bool__(self) -> bool:
        """Whether callers have to prove who they are."""
        return self.tokens is not None or self.api_keys is not None

    def security_map(self) -> dict[str, Any]:
        """Return what connexion's middleware takes its handlers from."""
        return {
            "openIdConnect": partial(_TokenHandler, self),
            "apiKey": partial(_ApiKeyHandler, self),
        }

    async def identify(self, request: ConnexionRequest) -> Identity | None:
        """Return who calls; None when nobody says so.

        Raises:
            KeysUnavailable: tokens cannot be verified now.
            NotAuthenticated: what is said is not to be believed.
        """
        return await self.by_token(request) or await self.by_key(request)

    async def by_token(self, request: ConnexionRequest) -> Identity | None:
        """Return whose bearer token a request has, None when it has none (RFC 6750 §2.1)."""
        stated = request.headers.getlist("Authorization")
        if not stated:
            return None
        scheme, _, token = stated[0].partition(" ")
        if len(stated) > 1 or scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("the Authorization header is not one bearer token")
        if self.tokens is None:
            raise NotAuthenticated("tokens are not accepted here")
        return await self.tokens.identity_of(token.strip())

    async def by_key(self, request: ConnexionRequest) -> Identity | None:
        """Return whose API key a request has, None when it has none."""
        stated = request.headers.getlist(KEY_HEADER)
        if not stated or self.api_keys is None:
            return None
        if len(stated) > 1:
            raise NotAuthenticated("there is more than one API key")
        return self.api_keys.identity_of(stated[0])

    def admit(self, request: ConnexionRequest, identity: Identity, scopes: list[str]) -> Any:
        """Let a caller through to an operation that asks for these scopes.

        Raises:
            AccessMissing: it has not got one of them.
        """
        record_of(request.scope).identity = identity
        for scope in scopes:
            if self.scopes[scope] not in identity.access:
                raise AccessMissing(self.scopes[scope], scope)
        return {"sub": identity.name}


def authenticators_of(settings: Settings, scopes: Mapping[str, Access]) -> Authenticators:
    """Return what the settings want callers to prove themselves by."""
    tokens = None
    if settings.oidc_issuer and settings.jwks:
        from app.identity.key_set import open_key_set  # cryptography costs start-up time
        from app.identity.tokens import TokenRules, TokenVerifier

        rules = TokenRules(
            issuer=settings.oidc_issuer,
            audiences=settings.oidc_audience,
            algorithms=settings.jwt_algorithms,
            scopes=scopes,
            skew=settings.clock_skew,
            party_claim=settings.party_claim,
        )
        tokens = TokenVerifier(open_key_set(settings.jwks), rules)
    keys = ApiKeys(settings.api_keys) if settings.api_keys else None
    return Authenticators(scopes, tokens, keys)


class _TokenHandler(AbstractSecurityHandler):
    """Lets the bearers of tokens through."""

    def __init__(self, authenticators: Authenticators) -> None:
        self._authenticators = authenticators

    def get_fn(self, security_scheme: Mapping[str, Any], required_scopes: list[str]) -> Verify:
        """Return the check of one operation."""
        return partial(
            _verify, self._authenticators, self._authenticators.by_token, required_scopes
        )


class _ApiKeyHandler(AbstractSecurityHandler):
    """Lets the holders of API keys through."""

    def __init__(self, authenticators: Authenticators) -> None:
        self._authenticators = authenticators

    def get_fn(self, security_scheme: Mapping[str, Any], required_scopes: list[str]) -> Verify:
        """Return the check of one operation."""
        return partial(_verify, self._authenticators, self._authenticators.by_key, required_scopes)


async def _verify(
    authenticators: Authenticators,
    identify: Callable[[ConnexionRequest], Awaitable[Identity | None]],
    scopes: list[str],
    request: ConnexionRequest,
) -> Any:
    identity = await identify(request)
    if identity is None:
        return NO_VALUE
    return authenticators.admit(request, identity, scopes)
