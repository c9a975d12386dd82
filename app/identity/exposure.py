"""Exposure: which hosts are this machine's own."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str | None) -> bool:
    """Whether an address or name is a loopback one, which no other machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_ip_address(host: str) -> bool:
    """Whether a host is an IP address, without brackets."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
