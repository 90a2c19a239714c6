"""Tables that the audit log covers are compared with it, past their triggers."""

from __future__ import annotations

from persistence.decisions.rows import Decided
from tests.support.data.sealed import SealedLog, Tamper


def test_a_key_that_gains_a_scope_without_an_entry_in_the_audit_log_is_named(
    decided: Decided, log: SealedLog, tamper: Tamper
) -> None:
    assert decided.tenant_id > 0
    tamper("UPDATE api_keys SET scopes = ARRAY['admin']")
    problem = log.verify().problems[0]
    assert problem.row.startswith("key ")
    assert problem.what == "differs from the audit log"
    tamper("DELETE FROM api_keys")
    assert "does not have its removal" in log.verify().problems[0].what


def test_a_key_that_was_put_in_is_named_however_old_it_says_that_it_is(
    decided: Decided, log: SealedLog, tamper: Tamper
) -> None:
    for prefix, created_at in (("ABCDEFGHIJ", "now"), ("abcdefghij", "2001-01-01")):
        tamper(
            "INSERT INTO api_keys (prefix, tenant_id, digest, scopes, name, created_at)"
            " VALUES (%s, %s, '', ARRAY['admin'], %s, %s)",
            *(prefix, decided.tenant_id, prefix, created_at),
        )
    problems = log.verify().problems
    assert [problem.row for problem in problems] == ["key ABCDEFGHIJ", "key abcdefghij"]
    assert {problem.what for problem in problems} == {"is in the table and not in the audit log"}


def test_a_proposal_a_tenants_switch_and_a_review_mark_are_compared_with_sealed_rows(
    decided: Decided, log: SealedLog, tamper: Tamper
) -> None:
    assert decided.tenant_id > 0
    tamper("UPDATE policy_proposals SET actor = 'somebody else'")
    tamper("UPDATE tenants SET four_eyes_policy = true")
    tamper("UPDATE predictions SET reviewed = true")
    named = {problem.row.partition(" ")[0] for problem in log.verify().problems}
    assert named == {"policy_proposal", "tenant", "decision"}


def test_a_review_mark_that_was_cleared_is_named(
    decided: Decided, log: SealedLog, tamper: Tamper
) -> None:
    assert tamper("UPDATE predictions SET reviewed = false WHERE reviewed") == 1
    (problem,) = log.verify().problems
    assert problem.row == f"decision {decided.prediction_id}"
    assert problem.what == "is not marked as reviewed, and feedback settled it"
