"""Payments over the limit of a tenant or a key are refused; the reply names the limit."""

from __future__ import annotations

from traceback import walk_tb

import pytest

from persistence.api_keys import Principal
from scoring.errors import RateLimited
from scoring.tenant import TenantLimits
from serving.rate_limits import RateLimits


class Clock:
    """A clock that the tests move."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def a_principal(tenant_id: int = 1, key: str = "a") -> Principal:
    return Principal(tenant_id, "demo", "fraud-demo", key, key, frozenset({"score"}), None)


def limits_of(**limits: int) -> tuple[RateLimits, Clock]:
    clock = Clock()
    rates = RateLimits(clock)
    rates.follow(lambda tenant_id: TenantLimits(**limits) if tenant_id == 1 else None)
    return rates, clock


def taken(rates: RateLimits, principal: Principal, of: int) -> int:
    """Return how many of some payments were taken."""
    count = 0
    for _ in range(of):
        try:
            rates.take(principal, 7)
        except RateLimited:
            continue
        count += 1
    return count


def test_a_second_s_payments_may_come_at_once_and_then_one_after_the_other() -> None:
    rates, clock = limits_of(tenant=50)
    assert taken(rates, a_principal(), 80) == 50
    clock.now_s += 0.02
    assert taken(rates, a_principal(), 5) == 1
    clock.now_s += 10
    assert taken(rates, a_principal(), 80) == 50


def test_over_a_long_time_no_more_are_taken_than_the_limit() -> None:
    rates, clock = limits_of(tenant=10)
    count = 0
    for _ in range(3000):
        clock.now_s += 0.01
        count += taken(rates, a_principal(), 1)
    assert count == pytest.approx(30 * 10 + 10, abs=1)


def test_each_key_has_its_own_limit_and_all_share_the_tenants() -> None:
    rates, _ = limits_of(tenant=30, key=20)
    assert taken(rates, a_principal(key="a"), 100) == 20
    assert taken(rates, a_principal(key="b"), 100) == 10


def test_another_tenant_has_no_limit_and_no_headers() -> None:
    rates, _ = limits_of(tenant=1)
    assert taken(rates, a_principal(tenant_id=2), 100) == 100
    assert rates.take(a_principal(tenant_id=2), 7) == []


def test_the_reply_names_the_limits_and_what_is_left() -> None:
    rates, clock = limits_of(tenant=50, key=10)
    principal = a_principal()
    assert dict(rates.take(principal, 7)) == {
        b"ratelimit-policy": b'"tenant";q=50;w=1, "key";q=10;w=1',
        b"ratelimit": b'"tenant";r=49;t=1, "key";r=9;t=1',
    }
    taken(rates, principal, 9)
    with pytest.raises(RateLimited) as error:
        rates.take(principal, 7)
    assert error.value.detail == "The API key may send 10 payments a second, and has sent more."
    assert error.value.headers == {
        "Retry-After": "1",
        "RateLimit-Policy": '"tenant";q=50;w=1, "key";q=10;w=1',
        "RateLimit": '"key";r=0;t=1',
    }
    clock.now_s += 5
    assert dict(rates.take(principal, 7))[b"ratelimit"] == b'"tenant";r=49;t=1, "key";r=9;t=1'


def test_a_batch_is_taken_whole_and_what_comes_after_it_waits() -> None:
    rates, clock = limits_of(tenant=100)
    rates.take(a_principal(), 7)
    headers = dict(rates.take_more(a_principal(), 999))
    assert headers[b"ratelimit"] == b'"tenant";r=0;t=10'
    with pytest.raises(RateLimited) as error:
        rates.take(a_principal(), 7)
    assert error.value.headers["Retry-After"] == "10"
    clock.now_s += 9.5
    assert taken(rates, a_principal(), 100) == 50


def test_a_caller_that_was_seen_before_is_refused_by_its_header_alone() -> None:
    rates, clock = limits_of(tenant=1)
    assert rates.reached(7) is None
    assert rates.tenant_id(7) is None
    rates.take(a_principal(), 7)
    assert rates.tenant_id(7) == 1
    assert rates.reached(7) is not None
    assert rates.reached(8) is None
    clock.now_s += 1
    assert rates.reached(7) is None, "asking counts nothing"


def test_each_refusal_is_another_error_so_that_no_traceback_grows() -> None:
    rates, _ = limits_of(tenant=1)
    rates.take(a_principal(), 7)
    errors = []
    for _ in range(3):
        with pytest.raises(RateLimited) as raised:
            rates.take(a_principal(), 7)
        errors.append(raised.value)
    assert len({id(error) for error in errors}) == 3
    assert [len(list(walk_tb(error.__traceback__))) for error in errors] == [2, 2, 2]


def test_batches_that_arrive_at_once_owe_no_more_than_one_of_them() -> None:
    rates, clock = limits_of(tenant=10)
    for _ in range(10):
        rates.take(a_principal(), 7)
    counted = 0
    for _ in range(10):
        try:
            rates.take_more(a_principal(), 999)
        except RateLimited:
            continue
        counted += 1
    assert counted == 1
    clock.now_s += 101
    assert taken(rates, a_principal(), 1) == 1


def test_a_limit_that_is_changed_begins_without_debt() -> None:
    clock, limits = Clock(), [TenantLimits(tenant=10, key=10)]
    rates = RateLimits(clock)
    rates.follow(lambda _: limits[-1])
    rates.take(a_principal(), 7)
    rates.take_more(a_principal(), 999)
    assert taken(rates, a_principal(), 1) == 0
    limits.append(TenantLimits(tenant=100_000, key=100_000))
    assert rates.reached(7) is None
    assert taken(rates, a_principal(), 1000) == 1000
    limits.append(TenantLimits(tenant=10))
    assert taken(rates, a_principal(), 100) == 10
