"""An identity provider for tests: keys, their published set, and tokens good and bad."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://identity.example"
AUDIENCE = "tmf683"
EVERYTHING = "tmf:read tmf:write tmf:delete tmf:subscribe tmf:notify tmf:operate"


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """Signs with RSA unless told otherwise; `published` are the keys in its set."""

    rsa: rsa.RSAPrivateKey = field(default_factory=_rsa)
    ec: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    ed: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    def key_set(self) -> dict[str, Any]:
        """Return the published keys, by the ids `rsa`, `ec` and `ed`."""
        keys = [
            RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True) | {"kid": "rsa"},
            ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True) | {"kid": "ec"},
            OKPAlgorithm.to_jwk(self.ed.public_key(), as_dict=True) | {"kid": "ed"},
        ]
        return {"keys": [{**each, "use": "sig"} for each in keys]}

    def published(self) -> bytes:
        return json.dumps(self.key_set()).encode()

    def token(
        self,
        *,
        key: Any = None,
        algorithm: str = "RS256",
        headers: dict[str, Any] | None = None,
        without: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """Return a token that is good, but for what is given otherwise."""
        now = int(time.time())
        stated = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ana",
            "iat": now,
            "exp": now + 86_400,  # longer than any run of the tests
            "scope": EVERYTHING,
        } | claims
        for name in without:
            del stated[name]
        kid = {"RS": "rsa", "PS": "rsa", "ES": "ec", "Ed": "ed"}.get(algorithm[:2], "rsa")
        own = {"rsa": self.rsa, "ec": self.ec, "ed": self.ed}[kid]
        return jwt.encode(stated, key or own, algorithm, {"kid": kid} | (headers or {}))
