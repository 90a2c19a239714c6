"""Examples of the rules routes in the OpenAPI document."""

from __future__ import annotations

from typing import Any

LARGE_TRANSFERS: dict[str, Any] = {
    "name": "large transfers to new accounts",
    "condition": "type == 'TRANSFER' and amount > 200000 and score > 0.01",
    "action": "review",
    "state": "shadow",
}
TO_LIVE: dict[str, Any] = {"version": 1, "state": "live"}
A_KNOWN_CUSTOMER: dict[str, Any] = {
    "entity": "account",
    "value": "C1305486145",
    "until": "2030-01-31T12:00:00Z",
    "reason": "sells a house this month",
}
RULE: dict[str, Any] = {
    "id": 12,
    "version": 1,
    "name": "large transfers to new accounts",
    "condition": "type == 'TRANSFER' and amount > 200000 and score > 0.01",
    "action": "review",
    "state": "shadow",
    "priority": 100,
    "actor": "ana",
    "created_at": "2026-01-31T12:00:00+00:00",
}
SNOOZE: dict[str, Any] = {
    "id": 3,
    "rule_id": 12,
    "entity": "account",
    "value": "C1305486145",
    "until": "2030-01-31T12:00:00+00:00",
    "reason": "sells a house this month",
    "actor": "ana",
    "created_at": "2026-01-31T12:00:00+00:00",
}
RULES: dict[str, Any] = {"rules": [{**RULE, "problem": None, "snoozes": [SNOOZE]}]}
DETAIL: dict[str, Any] = {"versions": [RULE], "snoozes": [SNOOZE]}
