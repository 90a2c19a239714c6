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
_DAY: dict[str, Any] = {
    "day": "2026-01-30",
    "fires": 14,
    "shadow": 0,
    "decided": 9,
    "labelled": 6,
    "frauds": 4,
    "is_mature": False,
    "precision": 0.667,
    "saved": 3990.0,
}
RULES: dict[str, Any] = {
    "rules": [{**RULE, "state": "live", "problem": None, "snoozes": [SNOOZE], "days": [_DAY]}],
    "truncated": False,
}
DETAIL: dict[str, Any] = {"versions": [RULE], "snoozes": [SNOOZE]}
A_RULE_TRIED: dict[str, Any] = {
    "rule": {"condition": "type == 'TRANSFER' and amount > 200000", "action": "review"},
    "maturity_days": 14,
}
VERSION_TRIED: dict[str, Any] = {"version": 3, "maturity_days": 14}
THRESHOLDS_TRIED: dict[str, Any] = {"thresholds": {"threshold": 0.02, "decline_from": 0.9}}


def _interval(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


_NONE = _interval(0.0, 0.0, 0.0)
_DECIDED: dict[str, Any] = {
    "savings": _interval(51210.0, 36880.0, 67105.0),
    "reviews": _interval(310.0, 277.0, 344.0),
    "declines": _NONE,
    "caught": _interval(53.0, 39.0, 68.0),
    "missed": _interval(9.0, 4.0, 16.0),
    "false_alarms": _interval(257.0, 227.0, 289.0),
    "false_declines": _NONE,
}
BACKTEST: dict[str, Any] = {
    "as_of": "2026-01-31T12:00:00+00:00",
    "from": "2025-10-19T12:00:00+00:00",
    "to": "2026-01-17T12:00:00+00:00",
    "decisions": 48210,
    "labelled": 1630,
    "frauds": 62,
    "truncated": False,
    "unknown": 0,
    "unscored": 0,
    "cost_model": {
        "missed_fraud": 1000.0,
        "missed_fraud_share": 0.0,
        "false_alarm": 5.0,
        "false_decline": None,
    },
    "decided": _DECIDED,
    "tried": {
        **_DECIDED,
        "savings": _interval(54610.0, 39940.0, 70710.0),
        "reviews": _interval(434.0, 394.0, 475.0),
        "caught": _interval(57.0, 43.0, 72.0),
        "missed": _interval(5.0, 1.0, 10.0),
        "false_alarms": _interval(377.0, 340.0, 415.0),
    },
    "difference": {
        "saved": _interval(3400.0, -600.0, 7410.0),
        "frauds_stopped": _interval(4.0, 0.0, 8.0),
        "frauds_let_pass": _NONE,
        "honest_stopped": _interval(120.0, 99.0, 142.0),
        "honest_let_pass": _NONE,
    },
    "has_few_frauds": True,
    "changes": [[47776, 124, 0], [0, 310, 0], [0, 0, 0]],
    "fraud_changes": [[5, 4, 0], [0, 53, 0], [0, 0, 0]],
    "firing": {
        "fires": 160,
        "labelled": 51,
        "unseen": 2,
        "frauds": _interval(29.0, 19.0, 40.0),
        "honest": _interval(131.0, 109.0, 154.0),
        "precision": _interval(0.181, 0.125, 0.242),
        "overlap": [
            {"decider": "model", "id": 0, "outcome": "approve", "payments": 124, "frauds": 4},
            {"decider": "model", "id": 0, "outcome": "review", "payments": 36, "frauds": 25},
        ],
    },
    "days": [
        {
            "day": "2026-01-17",
            "decisions": 530,
            "changed": 2,
            "reviews_before": 4,
            "declines_before": 0,
            "reviews": 6,
            "declines": 0,
            "fires": 3,
            "labelled_fires": 1,
            "fraud_fires": 1,
            "saved": 995.0,
        }
    ],
    "examples": [
        {
            "transaction_id": "01a20954-307f-76ad-bbfb-c426daea33c6",
            "decided_at": "2026-01-17T10:11:12.345000+00:00",
            "amount": 412000.0,
            "score": 0.014,
            "decided": "approve",
            "tried": "review",
            "is_fraud": True,
        }
    ],
}
SUGGESTIONS: dict[str, Any] = {
    "rules": [
        {
            "condition": "amount >= 240000 and feature('empties_account') == 1",
            **{
                name: BACKTEST[name]
                for name in ("firing", "difference", "has_few_frauds", "examples")
            },
        }
    ],
    "note": "Nothing else in the earlier decisions set frauds apart from chance.",
    "earlier": 32140,
    "earlier_frauds": 31,
    "later": 16070,
}
