"""What retention deletes stays verifiable, and nothing else may go missing under its name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.maintenance.maintenance import maintain
from tests.support.data.partition_months import NOW, THIS
from tests.support.data.sealed import SealedLog
from tests.support.fixture_types import Rows

OLD = THIS.plus(-4)


@pytest.fixture
def old(decide: Callable[..., Decided], owner: Engine, log: SealedLog) -> list[Decided]:
    """Two sealed decisions of an old month, one with feedback, in the month's partition."""
    decisions = [decide(OLD, feedback=True), decide(OLD)]
    maintain(owner, NOW)
    log.seal()
    return decisions


def test_a_dropped_month_has_expired_and_its_salts_are_gone(
    old: list[Decided], owner: Engine, log: SealedLog, rows: Rows
) -> None:
    assert old
    maintain(owner, NOW, retain_months=3)
    assert "no head" in log.verify().problems[0].what
    log.seal()
    verdict = log.verify()
    # Two decisions, one piece of feedback, and the label that was made of it.
    assert (verdict.problems, verdict.expired) == ([], 4)
    assert len(rows("SELECT FROM seal_leaves WHERE salt IS NULL")) == 4
    assert log.verify(months=3).problems == []
    assert "12 have to be kept" in log.verify(months=12).problems[0].what


def test_one_decision_of_a_month_that_retention_keeps_is_missing(
    old: list[Decided], log: SealedLog, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM predictions WHERE id = %s", [old[1].prediction_id])
    (problem,) = log.verify().problems
    assert problem.row == f"decision {old[1].prediction_id}"
    assert problem.what == "is missing: retention did not delete it"


@pytest.mark.parametrize(
    ("retain_months", "days_ago", "reason"),
    [
        (3, 0, "true of a part, and 1 decisions are still there"),
        (9, 0, "keeps 9 months, and it was not older"),
        (-1, 0, "keeps -1 months, and 1 have to be kept"),
        (3, -30, "is from after the head that has it"),
    ],
)
def test_a_forged_statement_hides_no_single_decision(
    old: list[Decided],
    log: SealedLog,
    database: str,
    retain_months: int,
    days_ago: int,
    reason: str,
) -> None:
    at = NOW - timedelta(days=days_ago)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO seal_expiries (tenant_id, month, retain_months, actor, at)"
            " VALUES (%s, %s, %s, 'sentinel db', %s)",
            [old[0].tenant_id, str(OLD), retain_months, at],
        )
        connection.execute("DELETE FROM predictions WHERE id = %s", [old[1].prediction_id])
        log.seal()
        problem = log.verify().problems[0]
        assert problem.row == f"decision {old[1].prediction_id}"
        assert reason in problem.what


def test_a_decision_that_comes_after_its_month_was_dropped_goes_with_the_next_run(
    old: list[Decided], decide: Callable[..., Decided], owner: Engine, log: SealedLog
) -> None:
    assert old
    maintain(owner, NOW, retain_months=3)
    late = decide(OLD)
    log.seal()
    verdict = log.verify()
    assert (verdict.problems, verdict.expired) == ([], 4)
    maintain(owner, NOW, retain_months=3)
    log.seal()
    verdict = log.verify()
    assert (verdict.problems, verdict.expired) == ([], 5)
    assert late.tenant_id > 0


def test_a_decision_that_was_edited_is_not_hidden_by_a_statement_that_its_month_is_about_to_go(
    old: list[Decided], log: SealedLog, database: str
) -> None:
    edited = old[1].prediction_id
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE seal_leaves SET salt = NULL WHERE key = %s", [str(edited)])
        connection.execute("UPDATE predictions SET score = 0.01 WHERE id = %s", [edited])
        connection.execute(
            "INSERT INTO seal_expiries (tenant_id, month, retain_months, actor, at)"
            " VALUES (%s, %s, 3, 'sentinel db', %s)",
            [old[0].tenant_id, str(OLD), NOW],
        )
    log.seal()
    (problem,) = log.verify().problems
    assert problem.row == f"decision {edited}"
    assert "has lost the salt of its leaf, or dropping its month was not finished" in problem.what


@pytest.mark.parametrize(("table", "kind"), [("labels", "label"), ("feedback", "feedback")])
def test_a_forged_statement_hides_no_single_label_and_no_feedback(
    decide: Callable[..., Decided], log: SealedLog, database: str, table: str, kind: str
) -> None:
    deleted, kept = decide(OLD, feedback=True), decide(OLD.plus(-1), feedback=True)
    log.seal()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            f"DELETE FROM {table} WHERE transaction_id = %s",  # noqa: S608
            [deleted.transaction_id],
        )
        connection.execute(
            "INSERT INTO seal_expiries (tenant_id, month, retain_months, actor, at)"
            " VALUES (%s, %s, 3, 'sentinel db', %s)",
            [kept.tenant_id, str(OLD), NOW],
        )
        log.seal()
        assert log.verify().problems[0].row.startswith(f"{kind} {deleted.transaction_id}/")
        # Without the month's decisions, what the month before still has gives it away.
        connection.execute("DELETE FROM predictions WHERE id = %s", [deleted.prediction_id])
        connection.execute("DELETE FROM labels WHERE transaction_id = %s", [deleted.transaction_id])
        connection.execute(
            "DELETE FROM feedback WHERE transaction_id = %s", [deleted.transaction_id]
        )
        assert {problem.what.partition(": ")[2] for problem in log.verify().problems} == {
            f"the statement that {OLD} was dropped is true of a part, and 1 decisions are still"
            " there"
        }
