"""The base URL of links: what clients and trusted proxies say is used where it fits a URL."""

from __future__ import annotations

from typing import Any

import pytest

from app.web.public_url import BadHost, PublicUrl


def scope(**headers: str) -> dict[str, Any]:
    pairs = [
        (name.replace("_", "-").encode(), value.encode())
        for name, value in {"host": "inner:8080", **headers}.items()
    ]
    return {"scheme": "http", "headers": pairs, "server": ("127.0.0.1", 8080)}


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({}, "http://inner:8080"),
        ({"x_forwarded_proto": "https"}, "https://inner:8080"),
        ({"x_forwarded_proto": "HTTPS"}, "https://inner:8080"),
        ({"x_forwarded_proto": "http, https"}, "https://inner:8080"),
        ({"x_forwarded_proto": "javascript"}, "http://inner:8080"),
        ({"x_forwarded_proto": "ftp,"}, "http://inner:8080"),
        ({"x_forwarded_host": "api.example"}, "http://api.example"),
        ({"x_forwarded_host": "other.example, api.example"}, "http://api.example"),
        ({"x_forwarded_host": 'a"b<c>'}, "http://inner:8080"),
        ({"x_forwarded_host": "api.example:99999"}, "http://inner:8080"),
        ({"x_forwarded_host": "[2001:db8::1]:8443"}, "http://[2001:db8::1]:8443"),
        ({"x_forwarded_prefix": "shop"}, "http://inner:8080/shop"),
        ({"x_forwarded_prefix": "/shop/"}, "http://inner:8080/shop"),
        ({"x_forwarded_prefix": "/"}, "http://inner:8080"),
        ({"x_forwarded_prefix": "/a, /shop"}, "http://inner:8080/shop"),
        ({"x_forwarded_prefix": "//evil.example"}, "http://inner:8080/evil.example"),
        ({"x_forwarded_prefix": "/a//b///"}, "http://inner:8080/a/b"),
        ({"x_forwarded_prefix": "/a/../b"}, "http://inner:8080"),
        ({"x_forwarded_prefix": "/a?b"}, "http://inner:8080"),
        ({"x_forwarded_prefix": "\\\\evil"}, "http://inner:8080"),
        ({"x_forwarded_prefix": "/a/%2e%2E/b"}, "http://inner:8080"),
        ({"x_forwarded_prefix": "/a%"}, "http://inner:8080"),
        ({"x_forwarded_prefix": "/a%20b"}, "http://inner:8080/a%20b"),
        ({"x_forwarded_host": "api.example:"}, "http://api.example"),
        ({"x_forwarded_port": "x"}, "http://inner:8080"),
        ({"x_forwarded_port": "99999"}, "http://inner:8080"),
        ({"x_forwarded_port": "8443"}, "http://inner:8443"),
        ({"x_forwarded_port": "443", "x_forwarded_proto": "https"}, "https://inner"),
        (
            {"x_forwarded_host": "api.example", "x_forwarded_port": "8443"},
            "http://api.example:8443",
        ),
        (
            {"x_forwarded_host": "api.example:1", "x_forwarded_port": "8443"},
            "http://api.example:1",
        ),
        ({"x_forwarded_host": "api.example", "x_forwarded_port": "x"}, "http://api.example"),
        ({"forwarded": "for=1.2.3.4;proto=https;host=api.example"}, "https://api.example"),
        ({"forwarded": 'proto=https;host="api.example:8443"'}, "https://api.example:8443"),
        ({"forwarded": "host=a.example, host=b.example"}, "http://b.example"),
        ({"forwarded": 'for="[::1]";Host="a,b.example"'}, "http://inner:8080"),
        (
            {"forwarded": "proto=https;host=a.example", "x_forwarded_host": "b.example"},
            "https://b.example",
        ),
        ({"forwarded": "proto=gopher;host="}, "http://inner:8080"),
    ],
)
def test_what_a_trusted_proxy_says_makes_a_url(headers: dict[str, str], url: str) -> None:
    assert PublicUrl(None, trust_forwarded=True).of(scope(**headers)) == url
    assert PublicUrl(None).of(scope(**headers)) == "http://inner:8080", "unless it is not trusted"
    assert PublicUrl("https://set.example/x").of(scope(**headers)) == "https://set.example/x"


def test_an_empty_port_is_the_one_of_the_scheme() -> None:
    for trusted in (True, False):
        assert PublicUrl(None, trust_forwarded=trusted).of(scope(host="a:")) == "http://a"


@pytest.mark.parametrize("host", ['a"b', "a b", "user@host", "host:99999", "host:0"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    for trusted in (True, False):
        with pytest.raises(BadHost):
            PublicUrl(None, trust_forwarded=trusted).of(scope(host=host))
