"""Checks of settings whose form another standard or library prescribes."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from contextlib import suppress
from urllib.parse import urlsplit

_SHORTEST_KEY, _LONGEST_KEY = 24, 64
"""Bytes of a signing key (Standard Webhooks 1.0)."""
_SIGNATURE_VERSION = re.compile(r"v\d+a?")
_NAME = re.compile(r"[A-Za-z0-9_*?\[\]!-]+(\.[A-Za-z0-9_*?\[\]!-]+)*\.?")
_NUMBER = re.compile(r"(.*\.)?([0-9]+|0[xX][0-9a-fA-F]*)\.?")


def check_webhook_key(key: str) -> None:
    """Check a key that signs events: 24 to 64 bytes in base64, with `whsec_` before or without.

    Raises:
        ValueError: events cannot be signed with it; the message does not contain the key.
    """
    if _SIGNATURE_VERSION.fullmatch(key):
        raise ValueError(
            f"{key} is the version of a signature; list keys alone, as whsec_…, without it"
        )
    try:
        secret = base64.b64decode(key.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a key must be base64, with or without whsec_ before it") from None
    if not _SHORTEST_KEY <= len(secret) <= _LONGEST_KEY:
        raise ValueError(
            f"a key has {len(secret)} bytes, but must have {_SHORTEST_KEY} to {_LONGEST_KEY}:"
            " `openssl rand -base64 32` makes one"
        )


def check_callback_host(entry: str) -> None:
    """Check an entry of `TMF_CALLBACK_ALLOW`: a host name, an address, or a network.

    In a name, `*` stands for any part.

    Raises:
        ValueError: no callback could ever match it; the message says why.
    """
    if "://" in entry:
        host = urlsplit(entry).hostname or "listener.example.com"
        raise ValueError(f"{entry} is a URL; name the host alone: {host}")
    with suppress(ValueError):
        ipaddress.ip_network(entry, strict=False)
        return
    if not entry.isascii():
        raise ValueError(f"{entry} is not ASCII; write the name in Punycode (xn--…)")
    if not _NAME.fullmatch(entry) or _NUMBER.fullmatch(entry):
        raise ValueError(
            f"{entry} is neither a host name (without port and path), an address nor a network"
        )
