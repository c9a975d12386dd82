"""The address clients reach the server under, for absolute links."""

from __future__ import annotations

import re
from functools import lru_cache

import flask

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


class BadHost(Exception):
    """The request's Host header names no host."""


def base_url(public_url: str | None) -> str:
    """Return where clients reach the server: the setting, else what this request says.

    Raises:
        BadHost: the request's Host header is not a host.
    """
    if public_url:
        return public_url
    environ = flask.request.environ
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    if not _is_host(host):
        raise BadHost("it must be a host name or address, with a port or without")
    return f"{environ['wsgi.url_scheme']}://{host}{environ['SCRIPT_NAME']}"


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None
