"""The addresses that the server listens on: checked before it starts, and shown to users."""

from __future__ import annotations

import errno
import socket

from app.bootstrap import authentication_of
from app.identity.exposure import is_loopback, reachable_host
from app.settings import Settings, SettingsError, place_of


def url_of(settings: Settings) -> str:
    """Return an address at which the server can be opened on this machine."""
    return f"http://{reachable_host(settings.host)}:{settings.port}"


def ports_of(settings: Settings) -> list[int]:
    """Return the ports to listen on."""
    return [settings.port, *([settings.management_port] if settings.management_port else [])]


def check_exposure(settings: Settings) -> None:
    """Make sure that strangers cannot reach what nobody guards.

    Raises:
        SettingsError: they could.
    """
    if is_loopback(settings.host) or authentication_of(settings) or settings.insecure:
        return
    raise SettingsError(
        f"{place_of(settings, 'host')}: will not listen on {settings.host} without authentication:"
        " set TMF_OIDC_ISSUER or TMF_API_KEYS, or say --insecure where something else guards it"
    )


def settled(settings: Settings) -> Settings:
    """Return the settings with a port that nobody listens on, a free one in place of 0.

    Raises:
        SettingsError: the address cannot be used; the message says why.
    """
    bound = bindable(settings)
    return settings.model_copy(update={"port": bound}) if not settings.port else settings


def bindable(settings: Settings, *, unless: frozenset[int] = frozenset()) -> int:
    """Check that the server can listen where it is to; return its port, a free one for 0.

    Errors of the operating system whose numbers are in `unless` are none.

    Raises:
        SettingsError: an address cannot be used; the message names the settings.
    """
    port = _bound(settings, "port", settings.port, unless)
    if settings.management_port:
        _bound(settings, "management_port", settings.management_port, unless)
    return port


def _bound(settings: Settings, name: str, port: int, unless: frozenset[int]) -> int:
    """Return the port that a socket gets."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, port))
            bound: int = probe.getsockname()[1]
        except OSError as error:
            if error.errno in unless:
                return port
            of_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
            named = place_of(settings, name if of_port else "host")
            reason = error.strerror or str(error)
            raise SettingsError(
                f"{named}: cannot listen on {settings.host}:{port}: {reason};"
                f" choose another {'port' if of_port else 'address of this machine'}"
            ) from None
        return bound
