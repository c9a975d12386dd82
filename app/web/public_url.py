"""The base URL under which clients reach the server, for absolute links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

from starlette.types import Scope

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{0,5}))?")
_PREFIX = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*")
_PAIR = re.compile(r'(?<![A-Za-z])([A-Za-z]++)=(?:"((?:[^"\\]|\\.)*+)"|([^";,\s]++))')
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class BadHost(Exception):
    """The request's Host header names no host."""


class PublicUrl:
    """Finds the base URL of a request: scheme, host and prefix, without a trailing slash.

    `setting` overrides what requests say. With `trust_forwarded` the headers of a proxy in front
    are used: `X-Forwarded-Proto`, `-Host`, `-Port` and `-Prefix`, and what they leave open
    `Forwarded` (RFC 7239). Of a list the last value counts, since the nearest proxy added it;
    values that cannot be part of a URL are ignored.
    """

    def __init__(self, setting: str | None, *, trust_forwarded: bool = False) -> None:
        self._setting = setting
        self._trust_forwarded = trust_forwarded

    def of(self, scope: Scope) -> str:
        """Return the base URL for the client of a request.

        Raises:
            BadHost: the request's Host header is not a host.
        """
        if self._setting:
            return self._setting
        found: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            if name == b"host":
                found[name] = value.decode("latin-1").strip()
            elif self._trust_forwarded and (
                name == b"forwarded" or name.startswith(b"x-forwarded-")
            ):
                text = value.decode("latin-1")
                found[name] = f"{found[name]},{text}" if name in found else text
        host = found.get(b"host") or _server(scope)
        if not _is_host(host):
            raise BadHost("it must be a host name or address, with a port or without")
        host = host.removesuffix(":")  # an empty port is the scheme's (RFC 9110 §4.2.3)
        if len(found) <= 1:
            return f"{scope['scheme']}://{host}"
        return _forwarded_url(scope["scheme"], host, found)


def _forwarded_url(scheme: str, host: str, headers: Mapping[bytes, str]) -> str:
    pairs = _last_element(headers.get(b"forwarded", ""))
    for stated in (_last(headers, b"x-forwarded-proto"), pairs.get("proto", "")):
        if stated.lower() in _DEFAULT_PORTS:
            scheme = stated.lower()
            break
    port = _last(headers, b"x-forwarded-port")
    for stated in (_last(headers, b"x-forwarded-host"), pairs.get("host", "")):
        if stated and _is_host(stated):
            host = stated.removesuffix(":")
            break
    else:
        if _is_port(port):
            host = re.sub(r":[0-9]+$", "", host)  # the port of the server, not of the proxy
    found = _HOST.fullmatch(host)
    has_port = found is not None and found[2] is not None
    if not has_port and _is_port(port) and port != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{_prefix(_last(headers, b'x-forwarded-prefix'))}"


def _prefix(text: str) -> str:
    """Return a path prefix with one leading slash and no trailing one; "" for an unusable one."""
    path = re.sub(r"/{2,}", "/", f"/{text}").rstrip("/")
    if not _PREFIX.fullmatch(path) or {".", ".."} & set(unquote(path).split("/")):
        return ""
    return path


def _last(headers: Mapping[bytes, str], name: bytes) -> str:
    """Return the last value of a header that may be a list; "" without one."""
    values = [each.strip() for each in headers.get(name, "").split(",")]
    return next((each for each in reversed(values) if each), "")


def _last_element(text: str) -> dict[str, str]:
    """Return the parameters of the last element of a `Forwarded` header, names in lower case."""
    found: dict[str, str] = {}
    end = 0
    for pair in _PAIR.finditer(text):
        if "," in text[end : pair.start()]:
            found = {}
        quoted = pair[2]
        value = pair[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        found[pair[1].lower()] = value
        end = pair.end()
    return found


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535


def _server(scope: Scope) -> str:
    host, port = scope.get("server") or ("localhost", 80)
    return f"{host}:{port or 0}"


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and (not found[2] or _is_port(found[2]))
