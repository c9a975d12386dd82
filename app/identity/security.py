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
from app.settings import Settings
from app.validation import IDENTITY_KEY
from handlers.identity import Access, Identity

if TYPE_CHECKING:
    from app.identity.tokens import TokenVerifier

Verify: TypeAlias = Callable[[ConnexionRequest], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Authenticators:
    """What proves identities, and the names that scopes have for kinds of access."""

    scopes: Mapping[str, Access]
    tokens: TokenVerifier | None = None
    api_keys: ApiKeys | None = None

    def security_map(self) -> dict[str, Any]:
        """Return what connexion's middleware takes its handlers from."""
        return {
            "openIdConnect": partial(_TokenHandler, self),
            "apiKey": partial(_ApiKeyHandler, self),
        }

    def admit(self, request: ConnexionRequest, identity: Identity, scopes: list[str]) -> Any:
        """Let a caller through to an operation that asks for these scopes.

        Raises:
            AccessMissing: it has not got one of them.
        """
        request.scope[IDENTITY_KEY] = identity
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
    """Reads bearer tokens (RFC 6750 §2.1)."""

    def __init__(self, authenticators: Authenticators) -> None:
        self._authenticators = authenticators

    def get_fn(self, security_scheme: Mapping[str, Any], required_scopes: list[str]) -> Verify:
        """Return the check of one operation."""

        async def verify(request: ConnexionRequest) -> Any:
            stated = request.headers.getlist("Authorization")
            if not stated:
                return NO_VALUE
            scheme, _, token = stated[0].partition(" ")
            if len(stated) > 1 or scheme.lower() != "bearer" or not token.strip():
                raise NotAuthenticated("the Authorization header is not one bearer token")
            tokens = self._authenticators.tokens
            if tokens is None:
                raise NotAuthenticated("tokens are not accepted here")
            identity = await tokens.identity_of(token.strip())
            return self._authenticators.admit(request, identity, required_scopes)

        return verify


class _ApiKeyHandler(AbstractSecurityHandler):
    """Reads API keys."""

    def __init__(self, authenticators: Authenticators) -> None:
        self._authenticators = authenticators

    def get_fn(self, security_scheme: Mapping[str, Any], required_scopes: list[str]) -> Verify:
        """Return the check of one operation."""

        async def verify(request: ConnexionRequest) -> Any:
            stated = request.headers.getlist(security_scheme["name"])
            keys = self._authenticators.api_keys
            if not stated or keys is None:
                return NO_VALUE
            if len(stated) > 1:
                raise NotAuthenticated("there is more than one API key")
            identity = keys.identity_of(stated[0])
            return self._authenticators.admit(request, identity, required_scopes)

        return verify
