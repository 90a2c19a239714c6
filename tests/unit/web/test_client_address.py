"""The address of who sends a request is the last that no trusted proxy has."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.requests import Request

from web.client_address import client_network

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def sent(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    client = (peer, 1234) if peer else None
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (sent("203.0.113.7"), "203.0.113.7/32"),
        (sent("203.0.113.7", "1.1.1.1"), "203.0.113.7/32"),
        (sent("10.1.1.1", "203.0.113.7"), "203.0.113.7/32"),
        (sent("10.1.1.1", "1.1.1.1, 203.0.113.7, 10.2.2.2"), "203.0.113.7/32"),
        (sent("10.1.1.1", "1.1.1.1", "203.0.113.7"), "203.0.113.7/32"),
        (sent("::ffff:10.1.1.1", "::ffff:203.0.113.7"), "203.0.113.7/32"),
        (sent("fd00::1", "2001:db8:1:2:3::4"), "2001:db8:1:2::/64"),
        (sent("10.1.1.1", "203.0.113.7:4711"), "203.0.113.7/32"),
        (sent("10.1.1.1", "[2001:db8:1:2::4]:443, 10.2.2.2:80"), "2001:db8:1:2::/64"),
        (sent("10.1.1.1", "[2001:db8:1:2::4]"), "2001:db8:1:2::/64"),
        (sent("10.1.1.1"), None),
        (sent("10.1.1.1", "10.2.2.2"), None),
        (sent("10.1.1.1", "1.1.1.1, unknown"), None),
        (sent("somewhere.sock", "1.1.1.1"), None),
        (sent(None, "1.1.1.1"), None),
    ],
)
def test_whoever_begins_the_list_with_other_addresses_is_not_believed(
    request_: Request, found: str | None
) -> None:
    assert client_network(request_, PROXIES) == found
