"""Searches find matching transactions, newest first, and unbounded ones are refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from persistence.review.search import InvalidSearch, Search, find_transactions
from tests.support.data.review import NOW, decide, ids, ms, store
from tests.support.factories import decision_at
from tests.support.fixture_types import MakeTenant


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search(), "cba"),
        (Search(external_id="order-a"), "a"),
        (Search(external_id="order-x"), ""),
        (Search(external_id="order-a", account="C1"), "a"),
        (Search(external_id="order-a", account="C9"), ""),
        (Search(external_id="order-a", amount_min=11), ""),
        (Search(account="C1"), "ba"),
        (Search(account="C2"), "cba"),
        (Search(account="C2", amount_min=20), "cb"),
        (Search(account="C2", amount_min=20, amount_max=20), "b"),
        (Search(account="C2", to_ms=ms(NOW - timedelta(days=5))), "a"),
        (Search(from_ms=ms(NOW - timedelta(days=5))), "cb"),
        (
            Search(
                from_ms=ms(NOW - timedelta(days=5)),
                to_ms=ms(NOW - timedelta(hours=1)),
                amount_max=99,
            ),
            "b",
        ),
        (Search(from_ms=2**48 - 1), ""),
        (Search(from_ms=0, to_ms=0), ""),
    ],
)
def test_a_search_finds_what_fits_newest_first(
    service_engine: Engine, make_tenant: MakeTenant, search: Search, expected: str
) -> None:
    tenant = make_tenant()
    days_and_accounts = {
        "a": (9, "C1", "C2", 10),
        "b": (2, "C2", "C1", 20),
        "c": (0, "C2", "C2", 30),
    }
    named = {}
    for name, (days, payer, receiver, amount) in days_and_accounts.items():
        decision = decide(
            tenant,
            external_id=f"order-{name}",
            name_orig=payer,
            name_dest=receiver,
            amount=float(amount),
        )
        named[name] = decision_at(decision, NOW - timedelta(days=days))
    store(service_engine, *named.values())
    page = find_transactions(service_engine, tenant.id, search, limit=3)
    assert ids(page.entries) == [named[name].transaction_id for name in expected]
    assert page.next is None


def test_a_search_by_account_pages_without_gaps_or_repeats(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    batch = [
        decision_at(
            decide(tenant, name_orig=f"C{i % 3}", name_dest=f"C{i % 2}"),
            NOW - timedelta(minutes=i),
        )
        for i in range(60)
    ]
    store(service_engine, *batch)
    seen: list[UUID] = []
    search = Search(account="C0")
    page = find_transactions(service_engine, tenant.id, search, limit=7)
    while True:
        seen += ids(page.entries)
        if page.next is None:
            break
        page = find_transactions(service_engine, tenant.id, search, limit=7, before=page.next)
    assert seen == [d.transaction_id for i, d in enumerate(batch) if i % 3 == 0 or i % 2 == 0]


DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount_min": 1.0}, "amount_min"),
        ({"amount_max": 1.0}, "amount_max"),
        ({"amount_min": 1.0, "to_ms": DAY_MS}, "amount_min"),
        ({"amount_min": 1.0, "from_ms": 0}, "amount_min"),
        ({"amount_min": 1.0, "from_ms": 0, "to_ms": 31 * DAY_MS + 1}, "amount_min"),
        ({"amount_min": 2.0, "amount_max": 1.0, "account": "C1"}, "amount_max"),
        ({"from_ms": 2, "to_ms": 1}, "to_ms"),
    ],
)
def test_an_unbounded_or_contradictory_search_is_refused_with_its_field(
    wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidSearch) as refused:
        Search(**wrong)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "good",
    [
        {"amount_min": 1.0, "from_ms": 0, "to_ms": 31 * DAY_MS},
        {"amount_min": 1.0, "from_ms": ms(NOW - timedelta(days=30))},
        {"amount_min": 1.0, "amount_max": 1.0, "account": "C1"},
        {"amount_max": 1.0, "external_id": "order-1"},
    ],
)
def test_a_search_by_amount_within_bounds_is_accepted(good: dict[str, Any]) -> None:
    assert Search(**good)
