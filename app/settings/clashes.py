"""Settings that exclude each other, or need each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.settings.model import Settings


class SettingsClash(ValueError):
    """Settings that cannot be used together; `texts` has a sentence for each clash."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__("\n".join(texts))
        self.texts = texts


def clashes(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each clash; it names the settings and says what to do."""
    identity = {
        "TMF_OIDC_ISSUER": settings.oidc_issuer,
        "TMF_OIDC_AUDIENCE": settings.oidc_audience,
        "TMF_JWKS": settings.jwks,
    }
    missing = [name for name, value in identity.items() if not value]
    if 0 < len(missing) < len(identity):
        yield (
            "TMF_OIDC_ISSUER, TMF_OIDC_AUDIENCE and TMF_JWKS belong together;"
            f" set {' and '.join(missing)} too, or none of them"
        )
    if settings.party_claim and not settings.oidc_issuer:
        yield "TMF_PARTY_CLAIM is about tokens; set TMF_OIDC_ISSUER too, or leave it out"
    if settings.console_client_id and not settings.oidc_issuer:
        yield "TMF_CONSOLE_CLIENT_ID is a client of the issuer; set TMF_OIDC_ISSUER too"
    if settings.management_port and settings.management_port == settings.port:
        yield "TMF_MANAGEMENT_PORT and TMF_PORT are the same; change one, or share with 0"
    if settings.base_path is not None and len(settings.spec) != 1:
        yield (
            "TMF_BASE_PATH moves one contract, and TMF_SPEC names"
            f" {len(settings.spec)}; choose one with TMF_SPEC or --spec"
        )
