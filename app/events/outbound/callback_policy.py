"""Callbacks: which addresses events may be sent to.

A listener chooses the address, so it could point into the network this server runs in. Private,
loopback, link-local, multicast and reserved addresses are refused, whatever name or notation leads
there, unless the operator allows them. The check is made where the connection is made: between the
two a name cannot come to mean another address.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from app.tmf630.errors import BadCallback, MalformedCallback

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST = 2000
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as IPv6 hosts reach them (RFC 6052)."""
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that has been given out of IPv6's global unicast addresses (RFC 4291)."""
_CLOSED: tuple[Network, ...] = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocols' own; Oracle's metadata service
    ipaddress.IPv4Network("168.63.129.16"),  # Azure's platform, its metadata service
    ipaddress.IPv4Network("192.88.99.0/24"),  # relays of 6to4, given up (RFC 7526)
    ipaddress.IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
"""What `ipaddress` calls global, and no listener on the public internet has."""
_INSIDE = (".localhost", ".local", ".internal", ".home.arpa")
"""Ends of names that mean something within a machine or network alone (RFC 6761, 6762, 8375)."""


class CallbackPolicy:
    """Decides where events may go.

    `allow` names what is allowed beside the public internet: host names (`*` matches any part),
    addresses, and networks as `10.0.0.0/8`.
    """

    def __init__(
        self,
        allow: Sequence[str] = (),
        resolve: Callable[..., list[Any]] = socket.getaddrinfo,
    ) -> None:
        self._resolve = resolve
        self._networks: list[Network] = []
        self._names: list[str] = []
        for entry in allow:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.append(entry.lower())
        self._permits = lru_cache(maxsize=1024)(self._permitted)  # asked at every delivery

    def check(self, url: str) -> None:
        """Check the URL of a listener that registers.

        A name that cannot be resolved now may pass, unless it is one that only private networks
        have: it is checked again at each delivery.

        Raises:
            MalformedCallback: it is no such URL; the message says why.
            BadCallback: events may not be sent there; the message says why.
        """
        if len(url) > _LONGEST:
            raise MalformedCallback(f"has more than {_LONGEST} characters")
        try:
            parts = urlsplit(url)
        except ValueError:  # what no pattern of a contract tells from an address
            raise BadCallback("has a host in brackets that is no IPv6 address") from None
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            raise MalformedCallback("has a port beyond 65535") from None
        if parts.scheme not in ("http", "https") or not host:
            raise MalformedCallback("must be an absolute http or https URL")
        if parts.username is not None or parts.password is not None:
            raise MalformedCallback("must not hold credentials")
        if "#" in url:
            raise MalformedCallback("must not have a fragment")
        try:
            found = self._resolve(host.rstrip("."), port or 0, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            self._check_unresolved(host)
            return
        for each in found:
            self.check_address(host, each[4][0])

    def check_address(self, host: str, address: str) -> None:
        """Check one address that a host has.

        Raises:
            BadCallback: events may not be sent there.
        """
        if not self._permits(host, address):
            raise BadCallback(
                f"leads to {address.partition('%')[0]}, which is no public address;"
                " TMF_CALLBACK_ALLOW can allow it"
            )

    def _check_unresolved(self, host: str) -> None:
        name = "." + host.lower().rstrip(".")
        if name.endswith(_INSIDE) and not self._is_named(host):
            raise BadCallback("has a host of private networks; TMF_CALLBACK_ALLOW can allow it")

    def _is_named(self, host: str) -> bool:
        """Whether the operator allows the host by name."""
        return any(fnmatchcase(host.lower().rstrip("."), name) for name in self._names)

    def _permitted(self, host: str, address: str) -> bool:
        if self._is_named(host):
            return True
        try:
            ip: Address = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        plain = _embedded(ip)  # what stands behind an address decides, not its wrapping
        if any(each in network for network in self._networks for each in (ip, plain)):
            return True
        return _is_public(plain)


def _is_public(ip: Address) -> bool:
    if (ip.version == 6 and ip not in _UNICAST) or any(ip in closed for closed in _CLOSED):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _embedded(ip: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _TRANSLATED:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.teredo is not None:
        return ip.teredo[1]
    return ip.ipv4_mapped or ip.sixtofour or ip
