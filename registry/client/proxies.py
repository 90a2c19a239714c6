"""Choose the proxy of a URL from the environment; the loopback interface is reached directly.

HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY mean what they mean to MLflow's own client, which
uses requests: lower-case names win, and NO_PROXY holds hosts, suffixes, networks and `*`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1", "0.0.0.0")  # noqa: S104 - no socket is bound


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost`, a name below it, 127.x, ::1 or 0.0.0.0."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    # Linux connects to the loopback interface for the unspecified address.
    return mapped.is_loopback or mapped.is_unspecified


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy through which a URL is reached, or None for a direct connection.

    Args:
        url: `http(s)://...`
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or _is_excluded(host, parts.port):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and "://" not in proxy:
        return f"http://{proxy}"
    return proxy or None


def reach_loopback_directly(url: str = "") -> None:
    """Add the loopback interface to NO_PROXY, for libraries that read it.

    Args:
        url: URL that the process uses; its host is added if it is on the loopback interface.
    """
    hosts = list(_no_proxy())
    if "*" not in hosts:
        own = urlsplit(url).hostname or ""
        more = (*LOOPBACK, own) if is_loopback(own) else LOOPBACK
        hosts += [host for host in more if host not in hosts]
    for variable in ("NO_PROXY", "no_proxy"):
        os.environ[variable] = ",".join(hosts) if "*" not in hosts else "*"


def _is_excluded(host: str, port: int | None) -> bool:
    excluded = list(_no_proxy())
    if "*" in excluded or host in excluded:
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return bool(proxy_bypass(f"{host}:{port}" if port else host))
    return any(address in network for network in _networks(excluded))


def _no_proxy() -> Iterator[str]:
    value = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return (host for host in (part.strip() for part in value.split(",")) if host)


def _networks(hosts: list[str]) -> Iterator[IPv4Network | IPv6Network]:
    for host in hosts:
        try:
            yield ip_network(host.strip("[]"), strict=False)
        except ValueError:
            continue
