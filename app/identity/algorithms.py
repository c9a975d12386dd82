"""The signatures that tokens can be accepted with (RFC 7518 §3.1, RFC 8037)."""

from __future__ import annotations

ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "EC:P-256",
    "ES384": "EC:P-384",
    "ES512": "EC:P-521",
    "EdDSA": "OKP",
}
"""The kind of key that each needs. All are asymmetric: who verifies a token could not sign one."""
