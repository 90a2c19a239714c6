"""The network address of who sent a request, honest behind a proxy."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import Request

Network = IPv4Network | IPv6Network

_IPV6_PREFIX = 64
"""One customer has as many addresses of IPv6 as this leaves (RFC 6177)."""


def client_network(request: Request, trusted: Sequence[Network]) -> str | None:
    """Return the address of who sent a request, of IPv6 its network.

    Each proxy adds to X-Forwarded-For whom it has the request from, and whoever sends the request
    may begin the list with anything. So the list is read from its end, and the first address that
    is no trusted proxy's counts.

    Args:
        request: request that may have come through proxies.
        trusted: networks of the proxies.

    Returns:
        None where the addresses cannot be read, or all are proxies'.
    """
    if request.client is None:
        return None
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for text in (request.client.host, *reversed(forwarded)):
        try:
            address = ip_address(_without_port(text.strip()))
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if not any(address in network for network in trusted):
            prefix = 32 if address.version == 4 else _IPV6_PREFIX
            return str(ip_network((address, prefix), strict=False))
    return None


def _without_port(text: str) -> str:
    """Return an address without the port and the brackets that some proxies write around it."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, _ = text.partition(":")
    return host if colon and text.count(":") == 1 else text
