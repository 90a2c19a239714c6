"""The pages that are timed, by name, and how their addresses are found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import httpx

from benchmarks.console.decisions import HOT_PAYEE

DEEP = 15
"""Pages that are turned to reach a deep one."""

_NEXT = re.compile(r'href="([^"]+)"[^>]*rel="next"')
_TRANSACTION = re.compile(r'href="(/console/transactions/[0-9a-f-]{36})"')
_ENTITY = re.compile(r'href="(/console/entities/[^"?#]+)"')
_SINCE = "018f0000-0000-7000-8000-000000000000"
_QUEUE: dict[str, dict[str, object]] = {
    "": {},
    "oldest first": {"order": "oldest"},
    "one band": {"band": "medium"},
    "declined": {"outcome": "decline"},
    "approved": {"outcome": "approve"},
    "by amount": {"amount_min": 1_000_000},
    "by amount, nothing": {"amount_min": 999_999_999_999},
    "by entity": {"entity": HOT_PAYEE},
    "by entity, nothing": {"entity": "nobody"},
    "by rule": {"rule": 3},
    "by rule, nothing": {"rule": 999},
    "mine, nothing": {"assignee": "me"},
    "unassigned": {"assignee": "nobody"},
    "all filters, nothing": {"rule": 3, "entity": "nobody", "amount_min": 5, "assignee": "nobody"},
}
_SEARCH: dict[str, dict[str, object]] = {
    "": {},
    "24 hours": {"range": "24h"},
    "amount": {"amount_min": 1_000_000},
    "amount, nothing": {"amount_min": 999_999_999_999},
    "score": {"score_min": 99},
    "score, nothing": {"score_min": 99.9999999999},
    "low scores": {"score_max": 0.0001},
    "band": {"band": "high"},
    "medium band": {"band": "medium"},
    "declined": {"outcome": "decline"},
    "approved": {"outcome": "approve"},
    "approved, high, nothing": {"outcome": "approve", "band": "high"},
    "outcome and amount": {"outcome": "review", "amount_min": 5_000_000},
    "outcome and amount, nothing": {"outcome": "review", "amount_min": 999_999_999_999},
    "verdict": {"verdict": "confirmed_fraud"},
    "verdict, nothing": {"verdict": "escalated"},
    "without verdict": {"verdict": "none", "band": "high"},
    "verdict and amount, nothing": {"verdict": "false_positive", "amount_min": 999_999_999_999},
    "category": {"f.type": "DEBIT"},
    "category and band": {"f.type": "DEBIT", "band": "high"},
    "number field, nothing": {"f.oldbalanceOrg.min": 9e14},
    "time range": {"from": "2026-06-01T00:00", "to": "2026-06-20T00:00", "band": "medium"},
    "payee": {"f.nameDest": HOT_PAYEE},
    "payee and amount, nothing": {"f.nameDest": HOT_PAYEE, "amount_min": 999_999_999_999},
    "payee and score": {"f.nameDest": HOT_PAYEE, "score_min": 99},
    "id of an entity": {"q": HOT_PAYEE},
    "id and amount, nothing": {"q": HOT_PAYEE, "amount_min": 999_999_999_999},
    "external id": {"q": "order-77"},
    "id, nothing": {"q": "nobody"},
}
_AUDIT: dict[str, dict[str, object]] = {
    "": {},
    "by actor": {"actor": "Bo Senior"},
    "by actor, nothing": {"actor": "nobody"},
    "by action": {"action": "case.changed"},
    "by actor and action": {"actor": "Bo Senior", "action": "label.created"},
    "by actor and action, nothing": {"actor": "Bo Senior", "action": "rule.created"},
    "by actor, action and object, nothing": {
        **{"actor": "Bo Senior", "action": "case.changed", "object": "transactions/x"}
    },
    "by time": {"from": "2026-06-01T00:00", "to": "2026-06-02T00:00"},
    "by time and actor, nothing": {"from": "2020-01-01T00:00", "to": "2020-02-01T00:00"},
    "readings": {"log": "reads"},
    "readings by actor and action": {
        **{"log": "reads", "actor": "reports", "action": "transaction.read"}
    },
    "readings by actor and action, nothing": {
        **{"log": "reads", "actor": "reports", "action": "case.read"}
    },
}
_CASES: dict[str, dict[str, object]] = {
    "": {},
    "mine": {"assignee": "me"},
    "overdue, urgent": {"due": "overdue", "priority": "high"},
    "closed": {"status": "closed"},
}
_PLAIN = {
    **{f"overview, {one}": f"/console/overview?range={one}" for one in ("24h", "7d", "30d", "all")},
    "queue, what changed": f"/console/queue/changes?{urlencode({'since': _SINCE})}",
    "entity of 100,000 payments": f"/console/entities/account/{HOT_PAYEE}",
    "entity, nothing": "/console/entities/account/nobody",
    "case": "/console/cases/1",
    "lists": "/console/lists",
    "list of 900,000 entries": "/console/lists/accounts_1",
    "entry of a list": "/console/lists/accounts_1?q=X4711",
    "rules": "/console/rules",
    "rule": "/console/rules/3",
    "threshold": "/console/threshold",
    "models": "/console/models",
    "drift": "/console/drift",
    "settings": "/console/settings",
    "people": "/console/settings/people",
    "keys": "/console/settings/keys",
    "palette": "/console/palette",
    "palette, id": "/console/palette?q=order-77",
    "palette, id of an entity": f"/console/palette?q={quote(HOT_PAYEE)}",
    "palette, nothing": "/console/palette?q=nobody",
}
_DEEP = {
    "queue, deep page": "/console/queue",
    "queue, oldest first, deep page": "/console/queue?order=oldest",
    "search, deep page": "/console/search",
    "search, band, deep page": "/console/search?band=high",
    "search, amount, deep page": "/console/search?amount_min=1000000",
    "entity of 100,000 payments, deep page": f"/console/entities/account/{HOT_PAYEE}",
    "cases, deep page": "/console/cases",
    "list, deep page": "/console/lists/accounts_1",
    "audit, deep page": "/console/audit",
    "audit, readings, deep page": "/console/audit?log=reads",
}
EXPORTS = {
    "export, 24 hours": "/console/search.csv?range=24h",
    "export, 30 days of a band": "/console/search.csv?band=high",
}
"""Files, which may take longer than a page: they are sent in parts."""


def addresses(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Yield the name and the address of each page."""
    filtered = {"queue": _QUEUE, "search": _SEARCH, "audit": _AUDIT, "cases": _CASES}
    for subject, filters in filtered.items():
        for name, parameters in filters.items():
            query = f"?{urlencode(parameters)}" if parameters else ""
            yield f"{subject}, {name}" if name else subject, f"/console/{subject}{query}"
    yield from _PLAIN.items()
    transaction = _link(client, "/console/queue", _TRANSACTION)
    yield "transaction", transaction
    yield "entity", _link(client, transaction, _ENTITY)
    hot = _link(client, f"/console/search?f.nameDest={HOT_PAYEE}", _TRANSACTION)
    yield "transaction of 100,000", hot
    for name, start in _DEEP.items():
        address = start
        for _ in range(DEEP):
            address = _found(client, address, _NEXT) or address
        yield name, address


def _link(client: httpx.Client, address: str, pattern: re.Pattern[str]) -> str:
    found = _found(client, address, pattern)
    if found is None:
        raise ValueError(f"{address} has no link that matches {pattern.pattern}")
    return found


def _found(client: httpx.Client, address: str, pattern: re.Pattern[str]) -> str | None:
    found = pattern.search(client.get(address).raise_for_status().text)
    return found[1].replace("&amp;", "&") if found else None
