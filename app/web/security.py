"""Security: connexion's handlers of the security schemes that a contract declares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from app.identity.api_keys import KEY_PREFIX, ApiKeys
from app.identity.errors import AccessMissing, NotAuthenticated
from app.observability.request_record import record_of
from app.settings import Settings
from app.tmf630.caller import Access, Identity
from app.web.connexion_parts import NO_VALUE, AbstractSecurityHandler, ConnexionRequest

if TYPE_CHECKING:
    from app.identity.tokens import TokenVerifier

KEY_HEADER = "X-API-Key"
"""The header of an API key, as the overlay declares it."""

Verify: TypeAlias = Callable[[ConnexionRequest], Awaitable[Any]]
Identify: TypeAlias = Callable[[ConnexionRequest], Awaitable[Identity | None]]


@dataclass(frozen=True, slots=True)
class Authenticators:
    """Verify credentials; `scopes` maps the names of scopes to kinds of access."""

    scopes: Mapping[str, Access]
    tokens: TokenVerifier | None = None
    api_keys: ApiKeys | None = None

    def __bool__(self) -> bool:
        """Whether callers have to authenticate."""
        return self.tokens is not None or self.api_keys is not None

    def security_map(self) -> dict[str, Any]:
        """Return the handler classes of the contract's schemes, for connexion."""
        return {
            "openIdConnect": partial(_SchemeHandler, self, self.by_token),
            "apiKey": partial(_SchemeHandler, self, self.by_key),
        }

    async def identify(self, request: ConnexionRequest) -> Identity | None:
        """Return the caller; None without credentials.

        Raises:
            KeysUnavailable: tokens cannot be verified now.
            NotAuthenticated: credentials are malformed or not trusted.
        """
        return await self.by_token(request) or await self.by_key(request)

    async def by_token(self, request: ConnexionRequest) -> Identity | None:
        """Return the caller of a bearer token, None without one (RFC 6750 §2.1)."""
        stated = request.headers.getlist("Authorization")
        if not stated:
            return None
        scheme, _, token = stated[0].partition(" ")
        token = token.strip()
        if KEY_PREFIX in (stated[0][: len(KEY_PREFIX)], token[: len(KEY_PREFIX)]):
            raise NotAuthenticated(
                f"an API key is sent in the {KEY_HEADER} header, not in Authorization"
            )
        if len(stated) > 1 or scheme.lower() != "bearer" or not token:
            others = f"; an API key is sent in {KEY_HEADER}" if self.api_keys else ""
            raise NotAuthenticated(f"the Authorization header is not one bearer token{others}")
        if self.tokens is None:
            raise NotAuthenticated(
                f"tokens are not accepted here; an API key is sent in the {KEY_HEADER} header"
            )
        return await self.tokens.identity_of(token)

    async def by_key(self, request: ConnexionRequest) -> Identity | None:
        """Return the caller of an API key, None without one.

        A bearer token beside the key has to be good too.
        """
        stated = request.headers.getlist(KEY_HEADER)
        if self.tokens is not None or not stated:  # a key may be in the wrong header
            await self.by_token(request)
        if not stated or self.api_keys is None:
            return None
        if len(stated) > 1:
            raise NotAuthenticated("there is more than one API key")
        return self.api_keys.identity_of(stated[0])

    def admit(self, request: ConnexionRequest, identity: Identity, scopes: list[str]) -> Any:
        """Authorize a caller for an operation with these scopes.

        Raises:
            AccessMissing: the caller lacks one of them.
        """
        record_of(request.scope).identity = identity
        for scope in scopes:
            if self.scopes[scope] not in identity.access:
                raise AccessMissing(self.scopes[scope], scope)
        return {"sub": identity.name}


def authenticators_of(settings: Settings, scopes: Mapping[str, Access]) -> Authenticators:
    """Return the authenticators that the settings ask for."""
    tokens = None
    if settings.oidc_issuer and settings.jwks:
        from app.identity.key_set import open_key_set  # cryptography is slow to import
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


class _SchemeHandler(AbstractSecurityHandler):
    """Verifies one security scheme."""

    def __init__(self, authenticators: Authenticators, identify: Identify) -> None:
        self._authenticators = authenticators
        self._identify = identify

    def get_fn(self, security_scheme: Mapping[str, Any], required_scopes: list[str]) -> Verify:
        """Return the check of one operation."""
        return partial(_verify, self._authenticators, self._identify, required_scopes)


async def _verify(
    authenticators: Authenticators, identify: Identify, scopes: list[str], request: ConnexionRequest
) -> Any:
    identity = await identify(request)
    if identity is None:
        return NO_VALUE
    return authenticators.admit(request, identity, scopes)
