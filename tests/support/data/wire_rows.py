"""The fixed rows of the database that the requests of `tests.support.data.wire` read.

Every time, id and number is fixed, and several have no short decimal form, so two versions of the
code that read the same rows have to reply with the same bytes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

FULL, PLAIN, EMPTY = 1, 2, 3
"""Tenants: with everything, with one version and no decisions, and with nothing."""
COUNT = 60


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
