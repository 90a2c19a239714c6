"""Make a year of decisions of one tenant for the benchmark of the console, inside Postgres.

Rows are as wide as those of `benchmarks.store.data`. Payers and payees repeat, one payee receives
HOT payments, a rule fires in a fiftieth of the decisions, and feedback has its labels. The indexes
that no primary key has are built when the rows are there, and two connections insert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from psycopg import Connection
from sqlalchemy import Engine, text

from benchmarks.store.data import HIGH, MODEL, MONTHS, TEMPLATES, THRESHOLD, make_templates
from persistence.hourly.folding import fold_hours
from persistence.maintenance.maintenance import maintain
from persistence.maintenance.partitions import Month, make_months, months_made
from persistence.tenants import create_tenant
from scoring.policy import CostModel, Policy

TENANT = "bank-0"
HOT = 100_000
"""Payments of the payee `HOT_PAYEE`, at most a tenth of all."""
HOT_PAYEE = "M-hot"
RULES = 20
_CHUNK = 50_000
_CONNECTIONS = 2
_FILLED = ("transactions", "predictions", "idempotency_keys", "feedback", "labels")

# A score is over THRESHOLD in a sixth of the decisions, of which a third is settled: a long queue.
_LOAD = """
WITH made AS MATERIALIZED (
    SELECT i, lpad(to_hex(%(start_ms)s + floor(i * %(step_ms)s::float8)::bigint), 12, '0') AS time,
        md5('t' || i) AS t, md5('p' || i) AS p, power(random(), 16) AS score,
        0.5 + random() AS times, random() < 0.3 AS is_settled, random() AS label
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
    SELECT %(tenant)s, transaction_id, 'order-' || i, i %% 744, type, amount * times,
        'C' || (random() * random() * %(payers)s)::int, oldbalance_org,
        CASE WHEN i %% %(hot_every)s = 0 THEN %(hot)s
            ELSE 'M' || (random() * random() * %(payers)s / 4)::int END, oldbalance_dest, created
    FROM row
), prediction AS (
    INSERT INTO predictions (tenant_id, id, transaction_id, model_name, model_version, score,
        margin, base_value, raw_probability, threshold, risk_band, decision, features,
        contributions, latency_ms, reviewed, ruling, created_at)
    SELECT %(tenant)s, prediction_id, transaction_id, %(model)s, 1, score,
        ln((score + 1e-9) / (1 - score + 1e-9)), -5.1, score, %(threshold)s,
        CASE WHEN score >= %(high)s THEN 'high' WHEN is_case THEN 'medium' ELSE 'low' END,
        CASE WHEN score >= 0.95 THEN 'decline' WHEN is_case THEN 'review' ELSE 'approve' END,
        features, contributions, 1 + 8 * random() * random(), is_case AND is_settled,
        CASE WHEN i %% 50 = 7 THEN jsonb_build_object('as_of', 1, 'fired',
            jsonb_build_array(jsonb_build_array(1 + i / 50 %% %(rules)s, 1))) END, created
    FROM row
), key AS (
    INSERT INTO idempotency_keys (tenant_id, key, body_digest, prediction_id, created_at)
    SELECT %(tenant)s, 'order-' || i, sha256(t::bytea), prediction_id, created FROM row
), stored_feedback AS (
    INSERT INTO feedback (tenant_id, transaction_id, label, rationale, actor, created_at)
    SELECT %(tenant)s, transaction_id,
        CASE WHEN label < 0.2 THEN 'confirmed_fraud' ELSE 'false_positive' END,
        'The customer was called.', 'Ana Analyst', created
    FROM row WHERE is_case AND is_settled
    RETURNING id, transaction_id, label, created_at
)
INSERT INTO labels (tenant_id, transaction_id, label, source, occurred_at, actor, feedback_id,
    created_at)
SELECT %(tenant)s, transaction_id,
    CASE label WHEN 'confirmed_fraud' THEN 'fraud' ELSE 'legitimate' END, 'analyst', created_at,
    'Ana Analyst', id, created_at
FROM stored_feedback
"""
_SECONDARY = text(
    """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class c ON c.oid = indrelid
    WHERE relname = ANY (:tables) AND NOT relispartition AND NOT indisprimary AND NOT indisunique
    """
)


def load(engine: Engine, rows: int, progress: Callable[[int], None]) -> int:
    """Fill an empty, migrated database; return the tenant.

    Args:
        engine: database pool of a superuser, with OPERATOR_TIMEOUT_S; a superuser can skip the
            check of foreign keys, which hold by construction.
        rows: number of decisions, evenly over MONTHS months up to now.
        progress: function that is called with the number of rows that were added.
    """
    tenant = create_tenant(engine, TENANT, MODEL).id
    now = datetime.now(UTC)
    start = now - timedelta(days=30 * MONTHS)
    _make_months(engine, start, now)
    _make_version(engine, tenant)
    given = {
        "tenant": tenant,
        "start_ms": int(start.timestamp() * 1000),
        "step_ms": (now - start).total_seconds() * 1000 / rows,
        "threshold": THRESHOLD,
        "high": HIGH,
        "model": MODEL,
        "templates": TEMPLATES,
        "payers": max(100, rows // 5),
        "hot": HOT_PAYEE,
        "hot_every": max(10, rows // HOT),
        "rules": RULES,
    }
    with _without_secondary_indexes(engine), ThreadPoolExecutor(_CONNECTIONS) as pool:
        parts = [
            [
                (first, min(first + _CHUNK, rows) - 1)
                for first in range(part * _CHUNK, rows, _CONNECTIONS * _CHUNK)
            ]
            for part in range(_CONNECTIONS)
        ]
        for _ in pool.map(lambda part: _insert(engine, given, part, progress), parts):
            pass
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
    maintain(engine, now)
    while fold_hours(engine, tenant, now):
        pass
    return tenant


def _insert(
    engine: Engine,
    given: dict[str, Any],
    parts: list[tuple[int, int]],
    progress: Callable[[int], None],
) -> None:
    pooled = engine.raw_connection()
    driver: Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
    driver.execute("SET session_replication_role = replica")
    driver.execute("SET synchronous_commit = off")
    make_templates(driver)
    for first, last in parts:
        driver.execute(_LOAD, given | {"first": first, "last": last})
        driver.commit()
        progress(last - first + 1)
    pooled.invalidate()


@contextmanager
def _without_secondary_indexes(engine: Engine) -> Iterator[None]:
    with engine.begin() as connection:
        found = connection.execute(_SECONDARY, {"tables": list(_FILLED)}).tuples().all()
        for name, _ in found:
            connection.execute(text(f"DROP INDEX {name}"))
    yield
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        for _, definition in found:
            connection.execute(text(definition.replace(" ON ONLY ", " ON ")))


def _make_months(engine: Engine, start: datetime, now: datetime) -> None:
    with engine.begin() as connection:
        month, missing = Month.of(start), set()
        while month < Month.of(now):
            missing.add(month)
            month = month.plus(1)
        make_months(connection, sorted(missing - months_made(connection)))


def _make_version(engine: Engine, tenant: int) -> None:
    policy = Policy.at(THRESHOLD, CostModel()).as_numbers()
    with engine.begin() as connection:
        for table, columns, values in (
            ("model_versions", "policy, calibrator_kind", "CAST(:policy AS jsonb), 'isotonic'"),
            ("production_versions", "registered_ms", "0"),
        ):
            connection.execute(
                text(
                    f"INSERT INTO {table} (tenant_id, name, version, {columns})"  # noqa: S608
                    f" VALUES (:tenant, :model, 1, {values})"
                ),
                {"tenant": tenant, "model": MODEL, "policy": orjson.dumps(policy).decode()},
            )
