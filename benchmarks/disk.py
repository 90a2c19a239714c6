"""`python -m benchmarks.disk`: measure the disk that stored decisions take.

The product's own writer stores them in an embedded Postgres, in batches as a loaded service forms
them. Features and contributions are computed for a thousand transactions; ids, `external_id` and
the payer differ in every row. The sizes are Postgres's own; the write-ahead log is what an archive
holds.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
from rich.progress import track
from rich.table import Table
from sqlalchemy import Engine, text

from benchmarks.load.payloads import features_of, transactions
from benchmarks.reporting.environment import commit, machine
from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowLog, ShadowScore
from persistence.decisions.writer import DecisionLog
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from persistence.tenancy import SERVICE_ROLE, every_tenants_transaction
from persistence.tenants import create_tenant
from persistence.uuid7 import new_ids
from scoring.features import PAYSIM_FEATURES
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion, Prediction
from scoring.transaction import from_wire
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.terminal import open_console

RESULTS = Path(__file__).with_name("results") / "disk.json"
TENANTS = 8
BATCH = 64
PAYEES = 100_000
MODEL = ModelVersion("fraud-bench", 1)
CHALLENGER = ModelVersion("fraud-bench", 2)
_TEMPLATES = 1000
_POLICY = Policy.at(0.05, CostModel())
_TABLES = ("transactions", "predictions", "idempotency_keys", "shadow_scores")

_SIZES = text(
    """
    SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint AS rows,
        coalesce(sum(pg_indexes_size(c.oid)), 0)::bigint AS indexes
    FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        AND (c.relname = :table OR c.relname ~ ('^' || :table || '_[0-9d]'))
    """
)


@click.command()
@click.option("--decisions", default=1_000_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(decisions: int, output: Path) -> None:
    """Store decisions, and print the disk that a million of them take."""
    with (
        tempfile.TemporaryDirectory(prefix="sentinel-bench-") as home,
        EmbeddedPostgres(Path(home)) as url,
    ):
        migrate.upgrade(url)
        owner = open_database(url, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
        service = open_database(url, role=SERVICE_ROLE)
        tenant_ids = _create_tenants(owner)
        begun_at, begun_s = _log_position(owner), perf_counter()
        _store(service, tenant_ids, decisions)
        took_s = perf_counter() - begun_s
        logged = _log_position(owner) - begun_at
        _store_shadow_scores(service, tenant_ids, decisions)
        sizes = _sizes(owner)
        service.dispose()
        owner.dispose()
    per_million = 1_000_000 / decisions
    results = {
        "command": f"python -m benchmarks.disk --decisions {decisions}",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "decisions": decisions,
        "seconds": round(took_s),
        "gb_per_million": {
            table: {kind: round(size * per_million / 1e9, 3) for kind, size in parts.items()}
            for table, parts in sizes.items()
        },
        "write_ahead_log_gb_per_million": round(logged * per_million / 1e9, 3),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    _show(results)


def _create_tenants(engine: Engine) -> list[int]:
    """Create the tenants, and record the versions that their decisions refer to."""
    tenant_ids = [create_tenant(engine, f"bank-{i}", MODEL.name).id for i in range(TENANTS)]
    record = text(
        "INSERT INTO model_versions (tenant_id, name, version, policy, calibrator_kind)"
        " SELECT id, :name, :version, '{}', 'isotonic' FROM tenants"
    )
    with engine.connect() as connection, every_tenants_transaction(connection):
        for version in (MODEL, CHALLENGER):
            connection.execute(record, {"name": version.name, "version": version.version})
    return tenant_ids


def _store(engine: Engine, tenant_ids: list[int], count: int) -> None:
    log, decisions = DecisionLog(engine), _decisions(tenant_ids, count)
    for _ in track(range(0, count, BATCH), "Storing decisions"):
        log.write(list(islice(decisions, BATCH)))


def _store_shadow_scores(engine: Engine, tenant_ids: list[int], count: int) -> None:
    log, decisions = ShadowLog(engine), _decisions(tenant_ids, count)
    for _ in track(range(0, count, BATCH), "Storing shadow scores"):
        log.write([_shadow_score(decided) for decided in islice(decisions, BATCH)])


def _decisions(tenant_ids: list[int], count: int) -> Iterator[Decided]:
    bodies = transactions(_TEMPLATES)
    features = features_of(bodies).tolist()
    rng = np.random.default_rng(0)
    contributions = rng.normal(0, 1, (len(bodies), len(features[0]))).tolist()
    scores = (rng.random(count) ** 16).tolist()
    for number, score in enumerate(scores):
        template = number % _TEMPLATES
        body = bodies[template] | {
            "external_id": f"order-{number:020d}",
            "nameOrig": f"C{_scattered(number)}",
            "nameDest": f"{bodies[template]['nameDest'][0]}{_scattered(number % PAYEES)}",
        }
        ((transaction_id, prediction_id),) = new_ids(1)
        yield Decided(
            tenant_id=tenant_ids[number % len(tenant_ids)],
            transaction_id=transaction_id,
            prediction_id=prediction_id,
            transaction=from_wire(body),
            prediction=Prediction(
                score=score,
                margin=float(np.log((score + 1e-9) / (1 - score + 1e-9))),
                base_value=-5.1,
                raw_probability=score,
                risk_band=_POLICY.risk_band(score),
                decision=_POLICY.decide(score),
                threshold=_POLICY.threshold,
                features=features[template],
                contributions=contributions[template],
                model=MODEL,
                described=PAYSIM_FEATURES.described,
            ),
            latency_ms=2.5,
        )


def _scattered(number: int) -> int:
    """Return a number of ten digits; neighbours are far apart, as those of accounts are."""
    return 10**9 + number * 2_654_435_761 % (9 * 10**9)


def _shadow_score(decided: Decided) -> ShadowScore:
    prediction = decided.prediction
    return ShadowScore(
        tenant_id=decided.tenant_id,
        prediction_id=decided.prediction_id,
        model=CHALLENGER,
        margin=prediction.margin,
        score=prediction.score,
        threshold=prediction.threshold,
        decision=prediction.decision,
    )


def _log_position(engine: Engine) -> int:
    statement = text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
    with engine.connect() as connection:
        return int(connection.execute(statement).scalar_one())


def _sizes(engine: Engine) -> dict[str, dict[str, int]]:
    with engine.connect() as connection:
        return {
            table: dict(connection.execute(_SIZES, {"table": table}).mappings().one())
            for table in _TABLES
        }


def _show(results: dict[str, Any]) -> None:
    table = Table(title=f"GB a million decisions, measured with {results['decisions']:,}")
    for name in ("table", "rows", "indexes"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for name, parts in results["gb_per_million"].items():
        table.add_row(name, f"{parts['rows']:.2f}", f"{parts['indexes']:.2f}")
    table.add_row("write-ahead log", f"{results['write_ahead_log_gb_per_million']:.2f}", "")
    open_console().print(table)


if __name__ == "__main__":
    main()
