"""Shadow scores are stored once, in one round trip, and dropped with their month."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowLog
from persistence.engine import open_database
from persistence.maintenance.maintenance import maintain
from persistence.tenancy import SERVICE_ROLE
from scoring.errors import NotStorable, StoreUnavailable
from scoring.prediction import ModelVersion
from tests.support.data.partition_months import NOW, THIS
from tests.support.data.shadow import a_shadow_score
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.proxy import Proxy


def test_a_batch_of_several_tenants_is_stored_whole(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenants = [make_tenant(slug).id for slug in ("one", "two")]
    batch = [a_shadow_score(a_decision(tenants[i % 2]), score=i / 10) for i in range(8)]
    ShadowLog(service_engine).write(batch)
    stored = rows("SELECT * FROM shadow_scores ORDER BY score")
    entries = [
        {
            "tenant_id": s.tenant_id,
            "prediction_id": s.prediction_id,
            "model_name": s.model.name,
            "model_version": s.model.version,
            "margin": s.margin,
            "score": s.score,
            "threshold": s.threshold,
            "decision": s.decision,
        }
        for s in batch
    ]
    assert [{name: row[name] for name in entries[0]} for row in stored] == entries


def test_a_stored_shadow_score_stays_and_other_versions_are_added(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    log = ShadowLog(service_engine)
    score = a_shadow_score(a_decision(make_tenant().id))
    log.write([score])
    later = replace(score, model=ModelVersion("fraud-demo", 3))
    log.write([replace(score, score=0.9), later, later])
    stored = rows("SELECT model_version, score FROM shadow_scores ORDER BY model_version")
    assert [(r["model_version"], r["score"]) for r in stored] == [(2, 0.25), (3, 0.25)]


def test_a_batch_of_any_size_is_one_round_trip(database: str, make_tenant: MakeTenant) -> None:
    tenant = make_tenant()
    with Proxy(database) as proxy:
        engine = open_database(proxy.url, role=SERVICE_ROLE, pool_size=1)
        log = ShadowLog(engine)
        log.write([a_shadow_score(a_decision(tenant.id))])  # connects and prepares
        for size in (1, 100):
            batch = [a_shadow_score(a_decision(tenant.id)) for _ in range(size)]
            with proxy.watch() as traffic:
                log.write(batch)
            assert (traffic.messages["E"], traffic.messages["P"]) == (2, 0)
            assert traffic.round_trips == 1
        engine.dispose()


def test_after_a_refused_row_the_shadow_log_still_writes(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    log = ShadowLog(service_engine)
    good = a_shadow_score(a_decision(make_tenant().id))
    with pytest.raises(NotStorable, match="none was stored"):
        log.write([good, replace(good, score=1.5, model=ModelVersion("fraud-demo", 3))])
    assert rows("SELECT FROM shadow_scores") == []
    log.write([good])
    assert len(rows("SELECT FROM shadow_scores")) == 1


def test_writing_without_postgres_raises_store_unavailable() -> None:
    away = ShadowLog(open_database("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(StoreUnavailable):
        away.write([a_shadow_score(a_decision(1))])


def partitions(rows: Rows) -> set[str]:
    return {r["name"] for r in rows("SELECT tableoid::regclass::text AS name FROM shadow_scores")}


def test_shadow_scores_lie_in_their_predictions_month_and_are_dropped_with_it(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    log = ShadowLog(engine)
    kept, old = decide(), decide(THIS.plus(-3))
    log.write([a_shadow_score(kept), a_shadow_score(old)])
    assert partitions(rows) == {"shadow_scores_default", THIS.partition_of("shadow_scores")}
    maintain(owner, NOW)
    assert partitions(rows) == {
        month.partition_of("shadow_scores") for month in (THIS, THIS.plus(-3))
    }
    maintain(owner, NOW, retain_months=2)
    assert rows("SELECT prediction_id FROM shadow_scores") == [
        {"prediction_id": kept.prediction_id}
    ]
    log.write([a_shadow_score(old)])
    lines: list[str] = []
    maintain(owner, NOW, retain_months=2, report=lines.append)
    dropped = f"Dropped {THIS.plus(-3)}: 0 decisions"
    assert any(line.startswith(dropped) for line in lines), "it came after its month had gone"
    assert len(rows("SELECT FROM shadow_scores")) == 1


def test_months_made_or_dropped_by_the_previous_release_are_completed(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    old = decide(THIS.plus(-2))
    maintain(owner, NOW)
    newest = THIS.plus(3)
    with owner.begin() as connection:
        # It knows two of the three tables: it makes their months, and drops them.
        connection.exec_driver_sql(f"DROP TABLE {newest.partition_of('shadow_scores')}")
        connection.exec_driver_sql(
            f"DROP TABLE {THIS.plus(-2).partition_of('predictions')},"
            f" {THIS.plus(-2).partition_of('transactions')} CASCADE"
        )
    ShadowLog(engine).write([a_shadow_score(old)])
    lines: list[str] = []
    maintain(owner, NOW, retain_months=1, report=lines.append)
    assert f"Created the partitions of {newest}." in lines
    assert any(line.startswith(f"Dropped {THIS.plus(-2)}: 0 decisions") for line in lines)
    names: list[dict[str, Any]] = rows("SELECT relname FROM pg_class WHERE relname ~ '_2[0-9_]+$'")
    tables = [r["relname"].rsplit("_", 2)[0] for r in names]
    assert {tables.count(t) for t in ("predictions", "transactions", "shadow_scores")} == {4}
