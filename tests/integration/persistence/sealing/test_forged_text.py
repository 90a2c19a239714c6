"""Text that no program of Sentinel writes is named, and ends no verification."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from persistence.decisions.writer import DecisionLog
from persistence.tenants import Tenant
from tests.support.data.sealed import SealedLog, Tamper
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant


@pytest.fixture
def tenant(engine: Engine, make_tenant: MakeTenant, log: SealedLog) -> Tenant:
    """A tenant with a sealed decision."""
    tenant = make_tenant()
    DecisionLog(engine).write([a_decision(tenant.id)])
    log.seal()
    return tenant


@pytest.mark.parametrize(("kind", "key"), [("decision", "x"), ("rule", "1")])
def test_a_key_that_no_row_can_have_is_a_problem_of_its_leaf(
    tenant: Tenant, log: SealedLog, tamper: Tamper, kind: str, key: str
) -> None:
    assert tamper(
        "UPDATE seal_leaves SET kind = %s, key = %s WHERE kind = 'decision' AND tenant_id = %s",
        *(kind, key, tenant.id),
    )
    found = {problem.row: problem.what for problem in log.verify().problems}
    assert found.pop(f"{kind} {key}") == "has a key that no row can have"
    (changed,) = found.values()
    assert "differs from what the head" in changed


def test_a_missing_decision_of_a_time_that_no_calendar_has_is_missing(
    tenant: Tenant, log: SealedLog, tamper: Tamper
) -> None:
    id_ = "ffffffff-ffff-7f3c-88c8-9bc040b60c73"
    tamper("UPDATE seal_leaves SET key = %s WHERE kind = 'decision'", id_)
    found = {problem.row: problem.what for problem in log.verify().problems}
    assert found[f"decision {id_}"] == "is missing: retention did not delete it"
    assert tenant.id > 0


def test_a_statement_without_a_month_or_a_time_is_a_problem(
    tenant: Tenant, log: SealedLog, tamper: Tamper
) -> None:
    for month, at in (("soon", "now"), ("2026-13", "now"), ("2026-01", "infinity")):
        tamper(
            "INSERT INTO seal_expiries (tenant_id, month, retain_months, actor, at)"
            " VALUES (%s, %s, 1, 'sentinel db', %s)",
            *(tenant.id, month, at),
        )
    for seal in (lambda: 0, log.seal):
        seal()
        problems = log.verify().problems
        assert {problem.row.partition(" ")[0] for problem in problems} == {"expiry"}
        assert [problem.what for problem in problems] == ["states no month, or no time"] * 3


def test_an_entry_of_the_audit_log_with_forged_text_is_a_problem(
    tenant: Tenant, log: SealedLog, tamper: Tamper
) -> None:
    tamper(
        "INSERT INTO audit_log (tenant_id, actor, action, after, object)"
        " SELECT tenant_id, actor, 'tenant.updated', after || '{\"is_test\": \"perhaps\"}', object"
        " FROM audit_log WHERE action LIKE 'tenant.%%' LIMIT 1",
    )
    log.seal()
    (problem,) = log.verify().problems
    assert problem.row == "the audit log"
    assert "perhaps" in problem.what
    assert tenant.id > 0
