"""One request for each kind of reply of the management routes, and what may differ in a reply."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.support.data.wire_rows import EMPTY, FULL, PLAIN, transaction_id

NOW = datetime(2024, 6, 1, 12, 0, 0, 250000, tzinfo=UTC)
"""The clock of the replies that name the time at which they were computed."""
Request = tuple[int, str, str, Any]
"""Tenant, method, path with its query, and the body: JSON, raw bytes, or None."""

_NOT_OF_THE_DATA = re.compile(r'"(?!202[34])\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(\+00:00|Z)"')
_SENTENCE = re.compile(r'"(detail|message|note|selection_bias)":"(?:[^"\\]|\\.)*"')
_REASONS = re.compile(r'"reasons":\["(?:[^"\\]|\\.)*"(?:,"(?:[^"\\]|\\.)*")*\]')
_ADDED = re.compile(
    r',"(?:display_value|display_time|usual)":(?:null|"(?:[^"\\]|\\.)*")'
    # The label of a case is its last member, that of a feedback is not.
    r'|,"labels":\[[^\]]*\]|,"label":(?:null|"[a-z]+")(?=\})'
    # Of a model version in the audit log; the features of a prediction have values.
    r'|,"features":\[\{"name":"\w+","words":.*?\}\](?=,)'
    # What neither chance nor rules had a part in.
    r'|,"(?:explore|approval_probability|decided_by|decline_from|decline_threshold|false_decline|rules)":null'
    r'|,"(?:key_)?payments_per_second":null'
    r'|,"reason":null|,"currency":null|,"time_zone":"UTC"'
    r'|,"list_entries":null|,"unknown":0'
    r'|,"(?:awaits_approval|four_eyes|four_eyes_policy|journal)":false|,"approvals":\[\]|,"registered_ms":null'
    r'|,"pairs":(?:null|\{"current":\{[^{}]*\},"best":\{[^{}]*\},"grid":\[[^\]]*\]\})'
)
_ADDED_COLUMNS = ',"approval_probability","decided_by"\r\n'
"""End of the first line of a CSV file; empty where neither chance nor rules had a part."""
_EMPTY_LAST_CELLS = re.compile(r',"",""(?=\r\n)')
_INTERVAL = re.compile(r'\{"value":[^{}]*\}')
_LONG = re.compile(r"(\.\d{10})\d+")


def fixed_text(body: bytes) -> str:
    """Return a reply without what may differ between two runs or two releases.

    Those are the times that Postgres gave while the test ran, the last digits of what the bootstrap
    computes, which depend on the CPU, the wording of sentences, and the fields that later releases
    add beside the first one's.
    """
    if _ADDED_COLUMNS in (csv := body.decode()):
        body = _EMPTY_LAST_CELLS.sub("", csv.replace(_ADDED_COLUMNS, "\r\n")).encode()
    body = _ADDED.sub("", _REASONS.sub('"reasons":["<sentences>"]', body.decode())).encode()
    text_ = _NOT_OF_THE_DATA.sub(
        lambda match: '"<now>"' if match[2] == "+00:00" else '"<now in another format>"',
        _SENTENCE.sub(r'"\1":"<sentence>"', body.decode()),
    )
    return _INTERVAL.sub(lambda match: _LONG.sub(r"\1", match[0]), text_)


def requests() -> Iterator[Request]:
    """Yield the requests in the order in which they are sent."""
    yield from _readings()
    yield from _problems()
    yield from _changes()


def _readings() -> Iterator[Request]:
    for tenant in (FULL, PLAIN, EMPTY):
        yield tenant, "GET", "/policy", None
        yield tenant, "GET", "/models?maturity_days=0&window_days=365", None
        yield tenant, "GET", "/tuner?maturity_days=0&window_days=365", None
        yield tenant, "GET", "/drift", None
        yield tenant, "GET", "/queue?limit=4", None
        yield tenant, "GET", "/audit?limit=25", None
    yield EMPTY, "GET", "/queue", None
    yield FULL, "GET", "/models", None
    yield (
        FULL,
        "GET",
        "/tuner?maturity_days=0.5&window_days=100&missed_fraud=30&false_alarm=7",
        None,
    )
    yield FULL, "GET", "/tuner?maturity_days=0&window_days=365&missed_fraud_share=0.125", None
    for query in (
        "limit=7",
        "risk_band=low&limit=3",
        "decision=approve&limit=2",
        "decision=approve&risk_band=high",
        "undecided=false&limit=20",
    ):
        yield FULL, "GET", f"/queue?{query}", None
    for query in (
        "limit=5",
        "external_id=order-6",
        "account=C5",
        "limit=4&amount_min=10&from=2024-05-01T00:00:00Z&to=2024-05-20T00:00:00%2B00:00",
        "account=nobody",
    ):
        yield FULL, "GET", f"/transactions?{query}", None
    yield FULL, "GET", "/transactions.csv", None
    yield EMPTY, "GET", "/transactions.csv?limit=1", None
    for index in (*range(6), 30):
        yield FULL, "GET", f"/transactions/{transaction_id(index)}", None
    yield FULL, "GET", "/audit?action=policy.created", None
    yield FULL, "GET", "/audit?limit=2", None


def _problems() -> Iterator[Request]:
    yield FULL, "GET", f"/transactions/{UUID(int=5)}", None
    yield FULL, "GET", "/transactions/x", None
    yield FULL, "GET", "/transactions/x?surprise=1&other=2", None
    yield FULL, "GET", "/policy?dry_run=1", None
    for query in (
        "limit=0&surprise=1&cursor=x", "risk_band=none&limit=x", "undecided=maybe", "cursor=abc",
    ):  # fmt: skip
        yield FULL, "GET", f"/queue?{query}", None
    for query in (
        "amount_min=5", "amount_max=5", "amount_min=x&amount_max=-1", "from=yesterday",
        "from=2024-05-02T00:00:00Z&to=2024-05-01T00:00:00Z", "amount_min=5&amount_max=4&account=C1",
        "external_id=a%20b&account=%00",
    ):  # fmt: skip
        yield FULL, "GET", f"/transactions?{query}", None
        yield FULL, "GET", f"/transactions.csv?{query}", None
    yield FULL, "GET", "/audit?action=Key", None
    for query in (
        "maturity_days=-1&window_days=0", "window_days=inf", "missed_fraud=0&missed_fraud_share=0",
        "false_alarm=0", "threshold=0.5",
    ):  # fmt: skip
        yield FULL, "GET", f"/tuner?{query}", None
    feedback = f"/transactions/{transaction_id(1)}/feedback"
    for body in (
        {}, {"label": "x", "rationale": ""}, {"label": "escalated", "rationale": 5, "more": 1},
        {"label": "escalated", "rationale": " \n"}, [], b"{", b"", b"x" * 100_000,
    ):  # fmt: skip
        yield FULL, "POST", feedback, body
    yield FULL, "POST", "/transactions/x/feedback", b"{"
    yield FULL, "POST", f"{feedback}?dry_run=1", b"{"
    seen = {"label": "escalated", "rationale": "seen"}
    yield FULL, "POST", f"/transactions/{UUID(int=5)}/feedback", seen
    for change in (
        {}, {"surprise": 1}, {"threshold": 0}, {"threshold": None}, {"threshold": "0.5"},
        {"high_from": 0.001}, {"threshold": 0.6, "high_from": 0.5}, {"cost_model": None},
        {"cost_model": {}}, {"cost_model": {"surprise": 1, "missed_fraud": -1}},
        {"cost_model": {"missed_fraud": 0}}, {"cost_model": {"false_alarm": 0}},
        {"cost_model": {"missed_fraud_share": 1}},
        {"cost_model": {"missed_fraud": 1e-30, "false_alarm": 1e12}}, b'{"threshold": NaN}', b"[]",
    ):  # fmt: skip
        yield FULL, "PUT", "/policy", change
    for method in ("PUT", "DELETE"):
        yield EMPTY, method, "/policy", {"threshold": 0.1} if method == "PUT" else None
        yield FULL, method, "/policy?dry_run=1", {"threshold": 0.1} if method == "PUT" else None
    yield FULL, "POST", "/policy", {}
    yield FULL, "GET", "/nowhere", None
    yield 0, "GET", "/policy?dry_run=1", None
    yield 0, "POST", feedback, b"{"


def _changes() -> Iterator[Request]:
    yield FULL, "DELETE", "/policy", None
    yield FULL, "DELETE", "/policy", None
    yield FULL, "GET", "/policy", None
    for tenant in (FULL, PLAIN):
        yield tenant, "PUT", "/policy", {"threshold": 0.30000000000000004}
        yield tenant, "PUT", "/policy", {"threshold": 0.30000000000000004}
        yield tenant, "PUT", "/policy", {"cost_model": {"missed_fraud": 40, "false_alarm": 1e-07}}
        yield tenant, "PUT", "/policy", {"threshold": 1e-07, "high_from": 0.75}
    yield FULL, "DELETE", "/policy", None
    for label, rationale in (
        ("confirmed_fraud", "seen"), ("escalated", 'a\tb\n"c" \\ é \U0001f600 \u2028'),
        ("false_positive", "=1+1"),
    ):  # fmt: skip
        path = f"/transactions/{transaction_id(2)}/feedback"
        yield FULL, "POST", path, {"label": label, "rationale": rationale}
    yield FULL, "GET", f"/transactions/{transaction_id(2)}", None
    yield FULL, "GET", "/audit?limit=25", None
    yield PLAIN, "GET", "/audit?action=policy.created", None
