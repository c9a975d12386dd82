"""The callback policy: which URLs events may be sent to.

A listener chooses the address, so it could point into the network this server runs in. Private,
loopback, link-local, multicast and reserved addresses are refused, whatever name or notation leads
there, unless the operator allows them. A URL is judged as the HTTP client has parsed it, and its
addresses are checked where the connection is made: a name cannot mean another address then.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from yarl import URL

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
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f.]*:[0-9a-f:.]*")
"""A name (RFC 3986 reg-name without percent-encoding) or an IPv6 address without a zone."""
_CLOSED_PORTS = frozenset(
    {
        0, 1, 7, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
        102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 138, 139, 143, 161, 162,
        179, 389, 427, 445, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563,
        587, 601, 636, 873, 989, 990, 992, 993, 995, 1433, 1521, 1719, 1720, 1723, 2049, 3306, 3389,
        3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679,
        6697, 10080, 11211, 27017,
    }
)  # fmt: skip
"""Ports of well-known services that do not speak HTTP: those that browsers block (WHATWG Fetch,
"bad port"), and those of databases. Discard (9) harms nobody."""
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
        parsed = parse_callback(url)
        host, port = str(parsed.raw_host), parsed.port
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


def parse_callback(url: str) -> URL:
    """Return the URL to send events to, as the HTTP client parses it.

    Raises:
        MalformedCallback: it is not an absolute http or https URL; the message says why.
        BadCallback: no event may be sent to such a URL; the message says why.
    """
    if len(url) > _LONGEST:
        raise MalformedCallback(f"has more than {_LONGEST} characters")
    try:
        urlsplit(url)
    except ValueError:  # no pattern of a contract tells these from addresses
        raise BadCallback("has a host in brackets that is no IPv6 address") from None
    try:
        parsed = URL(url)
        host, port = parsed.raw_host, parsed.port
    except ValueError:
        raise MalformedCallback("is not a URL with a host name and a port up to 65535") from None
    if parsed.scheme not in ("http", "https") or not host:
        raise MalformedCallback("must be an absolute http or https URL")
    if "@" in parsed.raw_authority:
        raise MalformedCallback("must not hold credentials")
    if "#" in url:
        raise MalformedCallback("must not have a fragment")
    if not _HOST.fullmatch(host):
        raise BadCallback("has a host that is neither an ASCII name nor an address")
    if port in _CLOSED_PORTS:
        raise BadCallback(f"has port {port}, which belongs to another protocol than HTTP")
    return parsed


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
