"""A database of fixed rows, and one request for each kind of reply of the management routes.

Every time, id and number is fixed, and several have no short decimal form, so two versions of the
code that read the same rows have to reply with the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

NOW = datetime(2024, 6, 1, 12, 0, 0, 250000, tzinfo=UTC)
"""The clock of the replies that name the time at which they were computed."""
FULL, PLAIN, EMPTY = 1, 2, 3
"""Tenants: with everything, with one version and no decisions, and with nothing."""
COUNT = 60
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
    # What chance had no part in.
    r'|,"(?:explore|approval_probability)":null|,"unknown":0'
)
_ADDED_COLUMN = ',"approval_probability"\r\n'
"""End of the first line of a CSV file; the column is empty where chance had no part."""
_EMPTY_LAST_CELL = re.compile(r',""(?=\r\n)')
_INTERVAL = re.compile(r'\{"value":[^{}]*\}')
_LONG = re.compile(r"(\.\d{10})\d+")


def fixed_text(body: bytes) -> str:
    """Return a reply without what may differ between two runs or two releases.

    Those are the times that Postgres gave while the test ran, the last digits of what the bootstrap
    computes, which depend on the CPU, the wording of sentences, and the fields that later releases
    add beside the first one's.
    """
    if _ADDED_COLUMN in (csv := body.decode()):
        body = _EMPTY_LAST_CELL.sub("", csv.replace(_ADDED_COLUMN, "\r\n")).encode()
    body = _ADDED.sub("", _REASONS.sub('"reasons":["<sentences>"]', body.decode())).encode()
    text_ = _NOT_OF_THE_DATA.sub(
        lambda match: '"<now>"' if match[2] == "+00:00" else '"<now in another format>"',
        _SENTENCE.sub(r'"\1":"<sentence>"', body.decode()),
    )
    return _INTERVAL.sub(lambda match: _LONG.sub(r"\1", match[0]), text_)


def uuid_at(moment: datetime, number: int) -> UUID:
    """Return a UUIDv7 of a moment."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | number)


def transaction_id(index: int) -> UUID:
    """Return the id of a transaction of the tenant FULL."""
    return uuid_at(_decided_at(index), 2 * index)


def fill(engine: Engine, feature_names: tuple[str, ...]) -> None:
    """Write the rows.

    Args:
        engine: pool that acts as the owner of the tables.
        feature_names: names of the model's inputs.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT set_config('sentinel.tenant_ids', '1,2,3', true)"))
        connection.execute(text("SELECT set_config('sentinel.actor', 'k3Jd82mQpz', true)"))
        for slug in ("full", "plain", "empty"):
            _insert(connection, "tenants", slug=slug, model_name=f"fraud-{slug}")
        _deployments(connection)
        for index in range(COUNT):
            _decision(connection, index, feature_names)
        _feedback(connection)
        _drift(connection)
        connection.execute(
            text(
                "UPDATE audit_log SET at = timestamptz '2024-05-01 00:00:00+00'"
                " + id * interval '1.000001 s'"
            )
        )


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


def _insert(connection: Connection, table: str, **values: Any) -> None:
    values = {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
    columns, parameters = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({parameters})"), values)  # noqa: S608


def _numbers(threshold: float, high_from: float, *costs: float) -> dict[str, Any]:
    names = ("missed_fraud", "missed_fraud_share", "false_alarm")
    return {
        "cost_model": dict(zip(names, costs, strict=True)),
        "threshold": threshold,
        "high_from": high_from,
    }


def _deployments(connection: Connection) -> None:
    served = datetime(2024, 1, 2, 9, tzinfo=UTC)
    for tenant, version, numbers, kind in (
        (FULL, 1, _numbers(0.05, 0.5, 1000, 0, 5), "sigmoid"),
        (FULL, 2, _numbers(0.1 + 0.2, 0.5, 1234.5, 0.125, 1e-07), "isotonic"),
        (FULL, 3, _numbers(0.25, 0.5, 1000.0, 0.0, 5.0), "beta"),
        (PLAIN, 1, _numbers(0.05, 0.5, 1000.0, 0.0, 5.0), "sigmoid"),
    ):
        name = "fraud-full" if tenant == FULL else "fraud-plain"
        _insert(
            connection, "model_versions", tenant_id=tenant, name=name, version=version,
            policy=numbers, calibrator_kind=kind,
            first_served_at=served + timedelta(days=version, microseconds=version - 1),
        )  # fmt: skip
    for tenant, name in ((FULL, "fraud-full"), (PLAIN, "fraud-plain")):
        _insert(
            connection, "production_versions", tenant_id=tenant, name=name, version=1,
            since=served + timedelta(days=1, milliseconds=5),
        )  # fmt: skip
    _insert(
        connection, "challenger_versions", tenant_id=FULL, name="fraud-full", version=2,
        canary_percent=12.5, since=served + timedelta(days=40),
    )  # fmt: skip
    for version, reason in ((4, "calibrator.json is missing"), (5, 'a "quoted" reason\n')):
        _insert(
            connection, "refusals", tenant_id=FULL, name="fraud-full", version=version,
            registered_ms=version, reason=reason, at=served + timedelta(days=version),
        )  # fmt: skip
    for tenant, policy, days in (
        (FULL, _numbers(0.2, 0.6, 1000.0, 0.0, 5.0), 50),
        (FULL, None, 51),
        (FULL, _numbers(1 / 7, 0.5, 40, 0, 5), 52),
        (PLAIN, _numbers(0.2, 0.6, 1000.0, 0.0, 5.0), 50),
        (PLAIN, None, 51),
    ):
        _insert(
            connection, "policies", tenant_id=tenant, policy=policy, actor="k3Jd82mQpz",
            created_at=served + timedelta(days=days),
        )  # fmt: skip


def _decided_at(index: int) -> datetime:
    return datetime(2024, 5, 1, tzinfo=UTC) + timedelta(hours=7 * index, milliseconds=index)


def _decision(connection: Connection, index: int, feature_names: tuple[str, ...]) -> None:
    score = (index * 37 % 101 + 1e-07) / 101.5
    amount = (1e-07, 5.0, 1e11, 0.1 + 0.2, 181250.75, 123456789.125)[index % 6] + index
    if index % 6 == 0:
        amount = 1e-07
    at = _decided_at(index)
    _insert(
        connection, "transactions", tenant_id=FULL, id=transaction_id(index),
        external_id=f"order-{index}" if index % 3 == 0 else None, step=index,
        type=("PAYMENT", "CASH_IN", "DEBIT", "CASH_OUT", "TRANSFER")[index % 5], amount=amount,
        name_orig="=cmd()" if index == 4 else f"C{index}", oldbalance_org=-0.0 if index else 1e15,
        name_dest=f"M{index}", oldbalance_dest=index / 3, created_at=at,
    )  # fmt: skip
    contributions = {
        name: (-1) ** i / (3 + i + index % 4) * 10.0 ** (-2 * (i % 5))
        for i, name in enumerate(feature_names)
    }
    _insert(
        connection, "predictions", tenant_id=FULL, id=uuid_at(at, 2 * index + 1),
        transaction_id=transaction_id(index), model_name="fraud-full", model_version=1,
        score=score, margin=-5.1 + sum(contributions.values()), base_value=-5.1,
        raw_probability=score / 3, threshold=0.05, risk_band=_band(score),
        decision="review" if score >= 0.05 else "approve",
        features={name: float(i) if index % 2 else i / 7 for i, name in enumerate(feature_names)},
        contributions=contributions, latency_ms=1.5,
        created_at=at + timedelta(microseconds=index % 3),
    )  # fmt: skip
    if index % 6 == 0:
        _insert(
            connection, "idempotency_keys", tenant_id=FULL, key=f"order-{index}",
            body_digest=b"x", prediction_id=uuid_at(at, 2 * index + 1),
        )  # fmt: skip
    other = (score * 0.8 + 0.1) % 1
    _insert(
        connection, "shadow_scores", tenant_id=FULL, prediction_id=uuid_at(at, 2 * index + 1),
        model_name="fraud-full", model_version=2, margin=-1.0, score=other, threshold=0.3,
        decision="review" if other >= 0.3 else "approve",
    )  # fmt: skip


def _band(score: float) -> str:
    if score >= 0.5:
        return "high"
    return "medium" if score >= 0.05 else "low"


def _feedback(connection: Connection) -> None:
    for index in range(COUNT):
        labels = ["confirmed_fraud"] if index % 3 else []
        if index % 7 == 0:
            labels.append("escalated")
        if index % 10 == 5:
            labels = ["escalated", "false_positive"]
        for number, label in enumerate(labels):
            _insert(
                connection, "feedback", tenant_id=FULL, transaction_id=transaction_id(index),
                label=label, rationale=f'seen\t"{index}"\né \U0001f600 \u2028 \x01\x7f',
                actor="k3Jd82mQpz",
                created_at=_decided_at(index) + timedelta(days=1, microseconds=number),
            )  # fmt: skip
        if labels and labels[-1] != "escalated":
            connection.execute(
                text("UPDATE predictions SET reviewed = true WHERE transaction_id = :id"),
                {"id": transaction_id(index)},
            )


def _drift(connection: Connection) -> None:
    until = datetime(2024, 5, 20, 12, tzinfo=UTC)
    for version, predictions, note in ((1, 2310, None), (2, 0, "It carries no distribution.")):
        _insert(
            connection, "drift_checks", tenant_id=FULL,
            computed_at=until + timedelta(seconds=4, microseconds=7),
            window_from=until - timedelta(days=1), window_to=until, model_name="fraud-full",
            model_version=version, predictions=predictions, note=note,
        )  # fmt: skip
    for name, level, *item in (
        ("score", "stable", 0.0121, 0.0087, 0.0182),
        ("log_amount", "major", 0.41, 1e-07, 1.0),
        ("amount_share", "insufficient", None, None, None),
    ):
        _insert(
            connection, "drift_measures", tenant_id=FULL, check_id=1, name=name,
            edges=[0.004, 5.0, 1e16], trained=[0.9, 0.1 - 1e-07, 1e-07, 0.0], trained_rows=3500,
            counts=[2051, 259, 0, 0], level=level,
            **dict(
                zip(("psi", "expected_without_drift", "limit_without_drift"), item, strict=True)
            ),
        )  # fmt: skip
