"""Failed sign-ins: all alike, at the same times, and few of one network address."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from ipaddress import ip_network

import httpx
import pytest
from sqlalchemy import Engine

from api.dependencies import MAX_FAILED_SIGN_INS
from console.sign_in.routes import REFUSED_EVERY_S
from tests.support.console.site import Site, serving_console
from tests.support.data.people import PASSWORD
from web.client_address import Network

PROXY = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")]


def try_(
    url: str, password: str, forwarded: str | None = None, email: str = "ana@demo.example"
) -> httpx.Response:
    return httpx.post(
        f"{url}/console/sign-in",
        data={"organisation": "demo", "email": email, "password": password},
        headers={"X-Forwarded-For": forwarded} if forwarded else {},
        trust_env=False,
    )


@pytest.mark.parametrize("email", ["ana@demo.example", "nobody@demo.example"])
def test_a_refusal_is_sent_at_a_multiple_of_a_time(site: Site, email: str) -> None:
    begun = time.perf_counter()
    assert try_(site.url, "not the password", email=email).status_code == 401
    assert time.perf_counter() - begun >= REFUSED_EVERY_S


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals that do not wait, of a password that is not hashed."""
    monkeypatch.setattr("console.sign_in.routes.REFUSED_EVERY_S", 0.001)
    monkeypatch.setattr("persistence.people.sessions.MAX_FAILURES", 1000)


def tried(
    service_engine: Engine,
    site: Site,
    port: int,
    proxies: Sequence[Network] | None,
    addresses: Sequence[str | None],
    then: str | None,
) -> int:
    """Return the status of the right password after failures from some addresses."""
    with serving_console(service_engine, port, site, proxies=proxies) as url:
        for place in range(MAX_FAILED_SIGN_INS):
            email = f"somebody{place}@demo.example"
            address = addresses[place % len(addresses)]
            assert try_(url, "the one password", address, email).status_code == 401
        return try_(url, PASSWORD, then).status_code


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize(
    ("proxies", "addresses", "then", "status"),
    [
        # One password tried on many accounts: the address is refused, also with the right one.
        (PROXY, ["203.0.113.7"], "203.0.113.7", 401),
        (PROXY, ["203.0.113.7"], "203.0.113.8", 303),
        # Who begins the list with other addresses is known by the last one that is no proxy's.
        (PROXY, ["1.1.1.1, 203.0.113.7, 10.1.1.1"], "2.2.2.2, 203.0.113.7", 401),
        (PROXY, ["2001:db8::1", "2001:db8::2"], "2001:db8::3", 401),
        # Where proxies are not known, nobody is refused for another person's failures.
        (None, ["203.0.113.7"], "203.0.113.7", 303),
    ],
)
def test_failures_are_limited_by_the_address_that_a_trusted_proxy_names(
    service_engine: Engine,
    site: Site,
    free_port: Callable[[], int],
    proxies: Sequence[Network] | None,
    addresses: Sequence[str | None],
    then: str,
    status: int,
) -> None:
    assert tried(service_engine, site, free_port(), proxies, addresses, then) == status


@pytest.mark.usefixtures("fast")
def test_a_network_that_is_refused_is_told_so_and_is_logged(
    service_engine: Engine,
    site: Site,
    free_port: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving_console(service_engine, free_port(), site, proxies=PROXY) as url:
        for place in range(MAX_FAILED_SIGN_INS):
            reply = try_(url, "no", "203.0.113.7:4711", f"somebody{place}@demo.example")
            assert "from your network" not in reply.text
        assert "from your network: after 30 that failed" in try_(url, "no", "203.0.113.7").text
    logged = [one.getMessage() for one in caplog.records if one.name == "sentinel.console"]
    assert logged == ["no sign-in from 203.0.113.7/32 is accepted: 30 failed within 15 minutes"]
