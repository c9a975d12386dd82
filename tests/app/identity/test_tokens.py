"""Which tokens are believed: the good ones, and none of those that attacks are made of."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import datetime, tzinfo
from types import SimpleNamespace
from typing import Any, Self

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

from app.identity.errors import NotAuthenticated
from app.identity.key_set import KeySet
from app.identity.tokens import TokenRules, TokenVerifier
from app.tmf630.caller import Access, Identity
from tests.issuer import AUDIENCE, ISSUER, Issuer

SCOPES = {f"tmf:{each.value}": each for each in Access}
THEIRS = Issuer()
OTHER = Issuer()


def rules(**other: Any) -> TokenRules:
    given = {"algorithms": ("RS256", "PS256", "ES256", "EdDSA"), "party_claim": "party_id"} | other
    return TokenRules(issuer=ISSUER, audiences=(AUDIENCE, "also"), scopes=SCOPES, **given)


def identity_of(token: str, *, keys: bytes | None = None, **other: Any) -> Identity:
    async def read() -> bytes:
        return keys or THEIRS.published()

    async def verify() -> Identity:
        return await TokenVerifier(KeySet(read), rules(**other)).identity_of(token)

    return asyncio.run(verify())


def spelt(part: Any) -> str:
    text = json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], signature: str = "", **claims: Any) -> str:
    """Return a token of these parts, whatever they are worth."""
    good = jwt.decode(THEIRS.token(**claims), options={"verify_signature": False})
    return f"{spelt(header)}.{spelt(good)}.{signature}"


def confused() -> str:
    """Return a token signed by HMAC with the issuer's public key as the secret."""
    secret = THEIRS.rsa.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = unsigned({"alg": "HS256", "typ": "JWT", "kid": "rsa"}).removesuffix(".")
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def tampered() -> str:
    header, payload, signature = THEIRS.token(sub="ana").split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{header}.{spelt(claims | {'sub': 'root'})}.{signature}"


def swapped() -> str:
    """Return the signature of one token under the claims of another."""
    header, payload, _ = THEIRS.token(sub="root").split(".")
    return f"{header}.{payload}.{THEIRS.token(sub='ana').split('.')[2]}"


def zeroes() -> str:
    """Return an ECDSA signature whose both numbers are zero (CVE-2022-21449)."""
    nothing = base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()
    return unsigned({"alg": "ES256", "kid": "ec"}, nothing)


def own_key(name: str, value: Any) -> Callable[[], str]:
    """Return a token signed by a key of the attacker's that it brings or names itself."""
    return lambda: OTHER.token(headers={name: value})


NOW = time.time()
FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "no algorithm": (lambda: unsigned({"alg": "none"}), "algorithm"),
    "no algorithm, spelt oddly": (lambda: unsigned({"alg": "nOnE"}), "algorithm"),
    "no algorithm, with a signature": (
        lambda: unsigned({"alg": "none", "kid": "rsa"}, THEIRS.token().split(".")[2]),
        "algorithm",
    ),
    "an algorithm that is no text": (lambda: unsigned({"alg": ["RS256"]}), "algorithm"),
    "no algorithm named": (lambda: unsigned({"typ": "JWT"}), "algorithm"),
    "public key as a secret": (confused, "algorithm"),
    "a secret of nothing": (
        lambda: jwt.encode({"sub": "root"}, "x" * 64, "HS512", {"kid": "rsa"}),
        "algorithm",
    ),
    "an algorithm we did not choose": (lambda: THEIRS.token(algorithm="RS512"), "algorithm"),
    "signature left out": (
        lambda: THEIRS.token().rpartition(".")[0] + ".",
        "signature is wrong",
    ),
    "claims changed": (tampered, "signature is wrong"),
    "signature of another token": (swapped, "signature is wrong"),
    "signature of zeroes": (zeroes, "signature is wrong"),
    "another's key under a known name": (lambda: OTHER.token(), "signature is wrong"),
    "another's key under its own name": (
        lambda: OTHER.token(headers={"kid": "mine"}),
        "unknown key",
    ),
    "key in the header": (
        own_key("jwk", RSAAlgorithm.to_jwk(OTHER.rsa.public_key(), as_dict=True)),
        "signature is wrong",
    ),
    "key at an address": (own_key("jku", "https://evil.example/keys"), "signature is wrong"),
    "certificate at an address": (own_key("x5u", "https://evil.example/c"), "signature is wrong"),
    "key id that is a path": (
        lambda: OTHER.token(headers={"kid": "../../../../dev/null"}),
        "unknown key",
    ),
    "key id that is a query": (
        lambda: OTHER.token(headers={"kid": "rsa' UNION SELECT 'x"}),
        "unknown key",
    ),
    "key of another kind": (
        lambda: THEIRS.token(algorithm="ES256", headers={"kid": "rsa"}),
        "unknown key",
    ),
    "critical header": (
        lambda: THEIRS.token(headers={"crit": ["exp"], "exp": NOW + 3600}),
        "not a signed JWT",
    ),
    "critical header not understood": (
        lambda: THEIRS.token(headers={"crit": ["b64"], "b64": True}),
        "not a signed JWT",
    ),
    "expired": (lambda: THEIRS.token(exp=NOW - 31), "expired"),
    "not valid yet": (lambda: THEIRS.token(nbf=NOW + 3600), "not valid yet"),
    "issued in the future": (lambda: THEIRS.token(iat=NOW + 3600), "not valid yet"),
    "no expiry": (lambda: THEIRS.token(without=("exp",)), "no claim exp"),
    "expiry that is no number": (lambda: THEIRS.token(exp="tomorrow"), "not valid"),
    "another issuer": (lambda: THEIRS.token(iss="https://evil.example"), "another issuer"),
    "an issuer that begins alike": (lambda: THEIRS.token(iss=ISSUER + ".evil"), "another issuer"),
    "no issuer": (lambda: THEIRS.token(without=("iss",)), "no claim iss"),
    "for another audience": (lambda: THEIRS.token(aud="another-api"), "for another audience"),
    "for nobody": (lambda: THEIRS.token(without=("aud",)), "no claim aud"),
    "of nobody": (lambda: THEIRS.token(without=("sub",)), "no claim sub"),
    "of no text": (lambda: THEIRS.token(sub=7), "not valid"),
    "of an empty text": (lambda: THEIRS.token(sub=""), "claim sub"),
    "of two lines": (lambda: THEIRS.token(sub="ana\nroot"), "claim sub"),
    "of half a character": (lambda: THEIRS.token(sub="ana\ud800"), "claim sub"),
    "a party that is half a character": (lambda: THEIRS.token(party_id="A\ud800"), "party_id"),
    "a party that is a number": (lambda: THEIRS.token(party_id=42), "party_id"),
    "a party that is nothing": (lambda: THEIRS.token(party_id=""), "party_id"),
    "a party that is null": (lambda: THEIRS.token(party_id=None), "party_id"),
    "no party in a list": (lambda: THEIRS.token(party_id=[]), "party_id"),
    "a party in an object": (lambda: THEIRS.token(party_id={"ne": ""}), "party_id"),
    "a logout token": (lambda: THEIRS.token(headers={"typ": "logout+jwt"}), "typ"),
    "a security event": (lambda: THEIRS.token(headers={"typ": "secevent+jwt"}), "typ"),
    "a proof of possession": (lambda: THEIRS.token(headers={"typ": "dpop+jwt"}), "typ"),
    "not a token": (lambda: "hello", "not a signed JWT"),
    "five parts": (lambda: "a.b.c.d.e", "not a signed JWT"),
    "header that is a list": (lambda: f"{spelt([1])}.{spelt({})}.x", "not a signed JWT"),
    "far too long": (lambda: THEIRS.token(note="x" * 9000), "too long"),
    "deeply nested": (
        lambda: f"{spelt({'alg': 'RS256', 'kid': 'rsa'})}.{'W' * 4000}.x",
        "not a signed JWT",
    ),
}


@pytest.mark.parametrize("attack", FORGED)
def test_a_token_that_is_not_good_is_refused(attack: str) -> None:
    make, reason = FORGED[attack]
    with pytest.raises(NotAuthenticated, match=reason):
        identity_of(make())


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_good_token_says_who_it_is(algorithm: str) -> None:
    token = THEIRS.token(algorithm=algorithm, scope="tmf:read openid tmf:notify tmf:readx")
    assert identity_of(token) == Identity(
        "ana", "token", frozenset({Access.READ, Access.NOTIFY}), None
    )


@pytest.mark.parametrize(
    ("claims", "access"),
    [
        ({"scope": "tmf:read"}, {Access.READ}),
        ({"scope": ["tmf:read", "tmf:write"]}, {Access.READ, Access.WRITE}),
        ({"scope": "", "scp": "tmf:read"}, set()),
        ({"scope": 7}, set()),
        ({"scope": "TMF:READ tmf:read,tmf:write"}, set()),
    ],
)
def test_scopes_are_whole_words(claims: dict[str, Any], access: set[Access]) -> None:
    assert identity_of(THEIRS.token(**claims)).access == access


def test_other_providers_name_scopes_scp() -> None:
    token = THEIRS.token(without=("scope",), scp=["tmf:read"])
    assert identity_of(token).access == {Access.READ}


@pytest.mark.parametrize(
    ("claims", "parties"),
    [({}, None), ({"party_id": "42"}, ("42",)), ({"party_id": ["42", "7"]}, ("42", "7"))],
)
def test_a_claim_binds_to_parties(claims: dict[str, Any], parties: Any) -> None:
    assert identity_of(THEIRS.token(**claims)).parties == parties


def test_without_the_setting_the_claim_means_nothing() -> None:
    assert identity_of(THEIRS.token(party_id="42"), party_claim=None).parties is None


def test_clocks_may_differ_a_little() -> None:
    assert identity_of(THEIRS.token(exp=time.time() - 20, nbf=time.time() + 20)).subject == "ana"


def test_an_expiry_beyond_any_number_is_one() -> None:
    assert identity_of(THEIRS.token(exp=10**400)).subject == "ana"


def test_one_of_several_audiences_is_enough() -> None:
    assert identity_of(THEIRS.token(aud=["somebody", "also"])).subject == "ana"


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"alg": "RS512"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"d": "AQAB"},
        {"n": "AQAB"},
    ],
)
def test_a_published_key_is_used_for_its_purpose_alone(change: dict[str, str]) -> None:
    keys = THEIRS.key_set()["keys"]
    keys[0] |= change
    with pytest.raises(NotAuthenticated, match="unknown key"):
        identity_of(THEIRS.token(), keys=json.dumps({"keys": keys}).encode())


def test_a_short_rsa_key_is_not_believed() -> None:
    weak = Issuer(rsa=rsa.generate_private_key(public_exponent=65537, key_size=1024))
    with pytest.raises(NotAuthenticated, match="unknown key"):
        identity_of(weak.token(), keys=weak.published())


def test_a_curve_is_not_taken_for_another() -> None:
    wide = Issuer(ec=ec.generate_private_key(ec.SECP384R1()))
    token = THEIRS.token(algorithm="ES256")
    with pytest.raises(NotAuthenticated, match="unknown key"):
        identity_of(token, keys=wide.published())


def test_without_a_key_id_there_must_be_no_choice() -> None:
    token = jwt.encode(
        jwt.decode(THEIRS.token(), options={"verify_signature": False}), THEIRS.rsa, "RS256"
    )
    assert identity_of(token).subject == "ana"
    second = RSAAlgorithm.to_jwk(OTHER.rsa.public_key(), as_dict=True) | {"kid": "second"}
    keys = json.dumps({"keys": [*THEIRS.key_set()["keys"], second]}).encode()
    with pytest.raises(NotAuthenticated, match="unknown key"):
        identity_of(token, keys=keys)


def test_a_verified_token_is_not_believed_longer_than_it_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(now, tz)

    monkeypatch.setattr("jwt.api_jwt.datetime", Clock)
    monkeypatch.setattr("app.identity.tokens.time", SimpleNamespace(time=lambda: now))

    async def read() -> bytes:
        return THEIRS.published()

    async def twice() -> None:
        verifier = TokenVerifier(KeySet(read), rules(skew=0.0))
        nonlocal now
        token = THEIRS.token(exp=now + 100)
        assert (await verifier.identity_of(token)).subject == "ana"
        now += 99
        assert (await verifier.identity_of(token)).subject == "ana"
        now += 2
        await verifier.identity_of(token)

    with pytest.raises(NotAuthenticated, match="expired"):
        asyncio.run(twice())
