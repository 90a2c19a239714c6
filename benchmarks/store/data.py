"""Make a year of decisions for the store benchmark, inside Postgres.

Rows are as wide as real ones: the JSON of features and contributions is computed for a thousand
transactions and repeated; scores, keys and ids differ in every row. Rows are inserted in the order
of their time, as in production.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from psycopg import Connection
from sqlalchemy import Engine, text

from benchmarks.load.payloads import transactions
from persistence.decisions.rows import Decided, body_digest, read_decision
from persistence.maintenance.maintenance import maintain
from persistence.maintenance.partitions import Month, make_months, months_made
from persistence.tenants import create_tenant
from scoring.columns import FloatArray
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.transaction import from_wire

TENANTS = 8
MONTHS = 12
THRESHOLD, HIGH = 0.05, 0.5
MODEL = "fraud-bench"
TEMPLATES = 1000
_CHUNK = 50_000

_LOAD = """
WITH made AS MATERIALIZED (
    SELECT i,
        (%(tenants)s::bigint[])[1 + floor(power(random(), 2) * %(tenant_count)s)] AS tenant_id,
        lpad(to_hex(%(start_ms)s + floor(i * %(step_ms)s::float8)::bigint), 12, '0') AS time,
        md5('t' || i) AS t, md5('p' || i) AS p, power(random(), 16) AS score,
        random() < 0.3 AS is_settled
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
), row AS MATERIALIZED (
    SELECT *, (time || '7' || substr(t, 1, 3) || '8' || substr(t, 4, 15))::uuid AS transaction_id,
        (time || '7' || substr(p, 1, 3) || '8' || substr(p, 4, 15))::uuid AS prediction_id,
        to_timestamp(('x' || time)::bit(48)::bigint / 1000.0) AS created,
        score >= %(threshold)s AS is_case
    FROM made JOIN template ON template.n = i %% %(templates)s
), transaction AS (
    INSERT INTO transactions (tenant_id, id, external_id, step, type, amount, name_orig,
        oldbalance_org, name_dest, oldbalance_dest, created_at)
    SELECT tenant_id, transaction_id, 'order-' || md5(i::text), i %% 744, type, amount,
        'C' || substr(t, 20, 9), oldbalance_org, 'M' || substr(p, 20, 9), oldbalance_dest, created
    FROM row
), prediction AS (
    INSERT INTO predictions (tenant_id, id, transaction_id, model_name, model_version, score,
        margin, base_value, raw_probability, threshold, risk_band, decision, features,
        contributions, latency_ms, reviewed, created_at)
    SELECT tenant_id, prediction_id, transaction_id, %(model)s, 1, score,
        ln((score + 1e-9) / (1 - score + 1e-9)), -5.1, score, %(threshold)s,
        CASE WHEN score >= %(high)s THEN 'high' WHEN is_case THEN 'medium' ELSE 'low' END,
        CASE WHEN is_case THEN 'review' ELSE 'approve' END, features, contributions, 2.5,
        is_case AND is_settled, created
    FROM row
), key AS (
    INSERT INTO idempotency_keys (tenant_id, key, body_digest, prediction_id, created_at)
    SELECT tenant_id, 'order-' || md5(i::text), sha256(t::bytea), prediction_id, created FROM row
)
INSERT INTO feedback (tenant_id, transaction_id, label, rationale, actor, created_at)
SELECT tenant_id, transaction_id, 'false_positive', 'The customer confirmed the payment.', 'bench',
    created
FROM row WHERE is_case AND is_settled
"""


def load(engine: Engine, rows: int, progress: Callable[[int], None]) -> None:
    """Fill an empty, migrated database.

    Args:
        engine: database pool of a superuser, with OPERATOR_TIMEOUT_S; a superuser can skip the
            check of foreign keys, which hold by construction.
        rows: number of decisions, evenly over MONTHS months up to now and unevenly over TENANTS
            tenants.
        progress: function that is called with the number of rows that were added.
    """
    tenants = [create_tenant(engine, f"bank-{i}", MODEL).id for i in range(TENANTS)]
    now = datetime.now(UTC)
    start = now - timedelta(days=30 * MONTHS)
    with engine.begin() as connection:
        month, missing = Month.of(start), set()
        while month < Month.of(now):
            missing.add(month)
            month = month.plus(1)
        make_months(connection, sorted(missing - months_made(connection)))
        connection.execute(
            text(
                "INSERT INTO model_versions (tenant_id, name, version, policy, calibrator_kind)"
                " SELECT id, :model, 1, '{}', 'isotonic' FROM tenants"
            ),
            {"model": MODEL},
        )
    given = {
        "tenants": tenants,
        "tenant_count": TENANTS,
        "start_ms": int(start.timestamp() * 1000),
        "step_ms": (now - start).total_seconds() * 1000 / rows,
        "threshold": THRESHOLD,
        "high": HIGH,
        "model": MODEL,
        "templates": TEMPLATES,
    }
    pooled = engine.raw_connection()
    driver: Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
    driver.execute("SET session_replication_role = replica")
    driver.execute("SET synchronous_commit = off")
    make_templates(driver)
    for first in range(0, rows, _CHUNK):
        last = min(first + _CHUNK, rows) - 1
        driver.execute(_LOAD, given | {"first": first, "last": last})
        driver.commit()
        progress(last - first + 1)
    pooled.invalidate()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
    maintain(engine, now)


def sample(engine: Engine, count: int) -> list[Decided]:
    """Return `count` random decisions; set their keys' digests so that a retry matches."""
    with engine.begin() as connection:
        total = connection.execute(
            text("SELECT sum(reltuples) FROM pg_class WHERE relname LIKE 'transactions\\_2%'")
        ).scalar_one()
        percent = min(100.0, 100 * 20 * count / max(total, 1))
        found = connection.execute(
            text(
                "SELECT p.tenant_id, p.id FROM predictions p TABLESAMPLE BERNOULLI (:percent)"
                " ORDER BY random() LIMIT :count"
            ),
            {"percent": percent, "count": count},
        ).all()
    decisions = [read_decision(engine, tenant_id, id_) for tenant_id, id_ in found]
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE idempotency_keys SET body_digest = :digest"
                " WHERE tenant_id = :tenant_id AND key = :key"
            ),
            [
                {
                    "digest": body_digest(d.transaction),
                    "tenant_id": d.tenant_id,
                    "key": d.transaction.external_id,
                }
                for d in decisions
            ],
        )
    return decisions


def make_templates(driver: Connection[Any]) -> None:
    """Make the temporary table of the transactions and explanations that are repeated."""
    submitted = [from_wire(body) for body in transactions(TEMPLATES)]
    features = PAYSIM_FEATURES.matrix_of(submitted)
    contributions = np.random.default_rng(0).normal(0, 1, features.shape)
    driver.execute(
        "CREATE TEMP TABLE template (n int PRIMARY KEY, type text, amount float8,"
        " oldbalance_org float8, oldbalance_dest float8, features jsonb, contributions jsonb)"
    )
    rows = [
        (n, t.type, t.amount, t.oldbalance_org, t.oldbalance_dest, *map(_named, explained))
        for n, (t, *explained) in enumerate(zip(submitted, features, contributions, strict=True))
    ]
    with driver.cursor() as cursor:
        cursor.executemany("INSERT INTO template VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
    driver.commit()


def _named(values: FloatArray) -> str:
    return orjson.dumps(dict(zip(FEATURE_NAMES, values.tolist(), strict=True))).decode()
