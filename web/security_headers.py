"""Headers of every reply that tell a browser to trust it with nothing.

https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
A page of the console and the page of the documentation have their own, which stay. The proxy that
ends TLS sends Strict-Transport-Security: the service does not know whether a request came over TLS.
"""

from __future__ import annotations

from collections.abc import Iterable

Header = tuple[bytes, bytes]

SECURITY_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


def missing_headers(headers: Iterable[Header]) -> list[Header]:
    """Return the security headers that a reply does not have yet.

    Args:
        headers: headers of the reply, names in lower case.
    """
    names = {name for name, _ in headers}
    return [header for header in SECURITY_HEADERS if header[0] not in names]
