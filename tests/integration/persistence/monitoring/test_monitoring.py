"""The state that the metrics report: tenants' activity, job runs, default partitions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from persistence.api_keys import issue_key, key_prefix, verify_key
from persistence.decisions.rows import Decided
from persistence.maintenance.maintenance import maintain
from persistence.monitoring.database_state import DatabaseState, read_state
from persistence.monitoring.job_runs import record_job
from persistence.monitoring.tenant_activity import RECENT, TenantActivity
from persistence.tenants import set_test_mode
from tests.support.data.partition_months import NOW, THIS
from tests.support.data.review import decide as decision
from tests.support.data.review import say, store
from tests.support.factories import decision_at
from tests.support.fixture_types import MakeTenant
from tests.support.postgres.query_plans import plans, rows_read, scanned_whole

SECRET = b"secret"


def only(state: DatabaseState) -> TenantActivity:
    (activity,) = state.tenants
    return activity


def seconds_ago(moment: datetime | None) -> float:
    assert moment is not None
    return abs((datetime.now(UTC) - moment).total_seconds())


def test_the_newest_decision_review_and_call_of_a_tenant_are_read(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    nothing = only(read_state(service_engine))
    assert nothing == TenantActivity("demo", None, None, False, None, None)
    key = issue_key(engine, tenant.id, ("score",), SECRET)
    assert verify_key(service_engine, key, SECRET)
    old, new = decision(tenant, 0.9), decision(tenant, 0.01)
    store(engine, decision_at(old, NOW - timedelta(hours=2)), new)
    state = only(read_state(service_engine))
    assert seconds_ago(state.decided_at) < 60
    assert seconds_ago(state.called_at) < 60
    assert (state.reviewed_at, state.is_waiting) == (None, True)
    say(engine, decision_at(old, NOW - timedelta(hours=2)), "false_positive")
    state = only(read_state(service_engine))
    assert seconds_ago(state.reviewed_at) < 60
    assert not state.is_waiting


def test_a_process_whose_clock_is_ahead_does_not_hide_later_decisions(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    ahead = decision_at(decision(tenant), NOW + timedelta(days=40))
    store(engine, ahead, decision_at(decision(tenant), hour_ago))
    state = only(read_state(service_engine))
    assert seconds_ago(state.decided_at) == pytest.approx(3600, abs=120)


def test_a_tenant_that_left_or_is_in_test_mode_is_not_active(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    left, test = make_tenant("left"), make_tenant("test")
    store(engine, decision_at(decision(left), NOW - RECENT - timedelta(days=1)), decision(test))
    set_test_mode(engine, "test", True)
    state = only(read_state(service_engine))
    assert (state.slug, state.decided_at, state.is_waiting) == ("left", None, False)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([("score", "10 days", "-1 hour")], "10 days"),
        ([("score", "10 days", "-8 days")], None),  # not in use
        ([("score", "10 days", None)], None),  # never used
        ([("score", None, "-1 hour")], None),  # does not expire
        ([("score", "-1 day", "-2 days")], "-1 day"),  # its caller is refused now
        ([("score", "-1 day", "-9 days")], None),
        ([("score", "-4 days", "-4 days")], None),
        ([("score", "2 days", "-1 hour"), ("review", "1 day", "-1 hour")], "1 day"),
        # The caller has changed to a newer key; one without the scope does not replace it.
        ([("score", "2 days", "-1 day"), ("score", None, "-1 hour")], None),
        ([("score", "2 days", "-1 day"), ("review", None, "-1 hour")], "2 days"),
        ([("score", "2 days", "-2 minutes"), ("score", None, "-1 minute")], "2 days"),
    ],
)
def test_the_expiry_is_that_of_a_key_in_use_that_no_newer_one_has_replaced(
    engine: Engine,
    service_engine: Engine,
    make_tenant: MakeTenant,
    keys: list[tuple[str, str | None, str | None]],
    expected: str | None,
) -> None:
    tenant = make_tenant()
    with engine.begin() as connection:
        connection.execute(text("SELECT set_config('sentinel.tenant_ids', '1', true)"))
        for scope, expires, used in keys:
            prefix = key_prefix(issue_key(engine, tenant.id, (scope,), SECRET))
            connection.execute(
                text(
                    "UPDATE api_keys SET expires_at = now() + CAST(:expires AS interval),"
                    " last_used_at = now() + CAST(:used AS interval) WHERE prefix = :prefix"
                ),
                {"expires": expires, "used": used, "prefix": prefix},
            )
        in_seconds = text("SELECT extract(epoch FROM CAST(:expected AS interval))::float8")
        seconds = connection.execute(in_seconds, {"expected": expected}).scalar_one()
    expires_at = only(read_state(service_engine)).key_expires_at
    if seconds is None:
        assert expires_at is None
    else:
        assert expires_at is not None
        assert (expires_at - datetime.now(UTC)).total_seconds() == pytest.approx(seconds, abs=60)


def test_rows_without_a_month_are_counted_until_maintenance_moves_them(
    owner: Engine, service_engine: Engine, decide: Callable[..., Decided]
) -> None:
    decide(THIS)
    assert set(read_state(service_engine).default_rows.values()) == {0}
    decide(THIS.plus(-2))
    decide(THIS.plus(9))
    rows = read_state(service_engine).default_rows
    assert rows == {"transactions": 2, "predictions": 2, "shadow_scores": 0, "access_log": 0}
    maintain(owner, NOW)
    rows = read_state(service_engine).default_rows
    assert rows == {"transactions": 1, "predictions": 1, "shadow_scores": 0, "access_log": 0}


def test_the_last_success_of_a_job_counts(owner: Engine, service_engine: Engine) -> None:
    assert read_state(service_engine).job_runs == {}
    record_job(owner, "maintenance")
    first = read_state(service_engine).job_runs
    record_job(owner, "maintenance")
    record_job(owner, "backup_dump")
    state = read_state(service_engine).job_runs
    assert state.keys() == {"maintenance", "backup_dump"}
    assert state["maintenance"] > first["maintenance"]


def test_the_server_is_described_to_the_services_role(service_engine: Engine) -> None:
    state = read_state(service_engine)
    assert state.size_bytes > 5_000_000
    assert 0 < state.connections <= state.max_connections
    assert abs(state.clock_offset_s) < 1
    assert state.archiver is None
    assert state.retained_bytes == {}


def test_a_slot_without_a_reader_retains_the_log(engine: Engine, service_engine: Engine) -> None:
    slot = "sentinel_tests"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        make = text("SELECT pg_create_physical_replication_slot(:slot, true)")
        connection.execute(make, {"slot": slot})
        try:
            assert read_state(service_engine).retained_bytes[slot] >= 0
        finally:
            connection.execute(text("SELECT pg_drop_replication_slot(:slot)"), {"slot": slot})


def test_a_few_rows_are_read_however_many_decisions_there_are(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    many: list[Any] = [
        decision_at(decision(tenant, 0.001), NOW - timedelta(minutes=i)) for i in range(3000)
    ]
    for start in range(0, len(many), 1000):
        store(engine, *many[start : start + 1000])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    nodes = plans(service_engine, lambda: read_state(service_engine))
    assert not scanned_whole(nodes)
    # None waits for review, so a plan that looks for one among all would read every row.
    assert rows_read(nodes, "predictions") <= 5
    assert rows_read(nodes, "transactions") == 0
