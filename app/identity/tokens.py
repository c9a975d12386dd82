"""Bearer tokens: JSON Web Tokens of one issuer (RFC 7519, RFC 8725, RFC 9068)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from app.identity.errors import NotAuthenticated
from app.identity.key_set import KeySet
from app.tmf630.caller import Access, Identity

_LONGEST = 8 * 1024
_MOST_REMEMBERED = 4096
_TYPES = frozenset({"jwt", "at+jwt"})


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Requirements on a token; `skew` is in seconds, `party_claim` the claim for row access."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    scopes: Mapping[str, Access]
    skew: float = 30.0
    party_claim: str | None = None


@dataclass(frozen=True, slots=True)
class _Verified:
    identity: Identity
    until: int
    generation: int


class TokenVerifier:
    """Verifies tokens; a valid one is cached until it expires or the keys change."""

    def __init__(self, keys: KeySet, rules: TokenRules) -> None:
        self._keys = keys
        self._rules = rules
        self._verified: dict[bytes, _Verified] = {}

    async def identity_of(self, token: str) -> Identity:
        """Return the caller of a token.

        Raises:
            KeysUnavailable: no token can be verified now.
            NotAuthenticated: the token is not valid; the message says why.
        """
        await self._keys.renew()
        mark = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(mark)
        now = time.time() - self._rules.skew
        if known and known.until > now and known.generation == self._keys.generation:
            return known.identity
        generation = self._keys.generation
        claims = await self._claims(token)
        identity = identity_of(claims, self._rules)
        if len(self._verified) >= _MOST_REMEMBERED:
            self._verified.clear()
        self._verified[mark] = _Verified(identity, int(claims["exp"]), generation)
        return identity

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST:
            raise NotAuthenticated("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise NotAuthenticated("the token is not a signed JWT that can be read") from None
        kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
        if kind not in _TYPES:  # a logout or DPoP token is no access token (RFC 8725 §3.11)
            raise NotAuthenticated("the token's typ is not that of an access token")
        algorithm, id = header.get("alg"), header.get("kid")
        # The accepted algorithms are ours to choose, not the token's (RFC 8725 §3.1).
        if algorithm not in self._rules.algorithms:
            raise NotAuthenticated("the token is signed with an algorithm that is not accepted")
        key = await self._keys.find(id if isinstance(id, str) else None, algorithm)
        if key is None:
            raise NotAuthenticated("the token is signed with an unknown key")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=list(self._rules.audiences),
                issuer=self._rules.issuer,
                leeway=self._rules.skew,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise NotAuthenticated(_reason(error)) from None
        return claims


def identity_of(claims: Mapping[str, Any], rules: TokenRules) -> Identity:
    """Return the caller that verified claims describe.

    Raises:
        NotAuthenticated: a claim that must name a caller or party does not.
    """
    if not _names(claims["sub"]):
        raise NotAuthenticated("the claim sub does not name a caller")
    return Identity(
        subject=claims["sub"],
        means="token",
        access=frozenset(rules.scopes[name] for name in _scopes(claims) if name in rules.scopes),
        parties=_parties(claims, rules.party_claim),
    )


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """Return the scopes: `scope` as one text (RFC 9068 §2.2.3), or `scp` as some providers do."""
    stated = claims.get("scope", claims.get("scp", ""))
    if isinstance(stated, str):
        return stated.split()
    return [each for each in stated if isinstance(each, str)] if isinstance(stated, list) else []


def _names(value: object) -> bool:
    """Whether a value can name a caller in the store and in the log."""
    return isinstance(value, str) and value != "" and value.isprintable()


def _parties(claims: Mapping[str, Any], claim: str | None) -> tuple[str, ...] | None:
    if claim is None or claim not in claims:
        return None
    stated = claims[claim]
    parties = stated if isinstance(stated, list) else [stated]
    # The claim is meant to restrict the token: one that is unclear grants nothing.
    if not parties or not all(map(_names, parties)):
        raise NotAuthenticated(f"the claim {claim} does not name a party")
    return tuple(parties)


def _reason(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "the token has expired"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet"
        case jwt.InvalidAudienceError():
            return "the token is for another audience"
        case jwt.InvalidIssuerError():
            return "the token is from another issuer"
        case jwt.MissingRequiredClaimError(claim=claim):
            return f"the token has no claim {claim}"
        case jwt.InvalidSignatureError():
            return "the token's signature is wrong"
    return "the token is not valid"
