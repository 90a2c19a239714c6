"""A superuser who changes the database is found, and the first bad row is named.

The session is one of replication, in which Postgres fires no trigger: nothing that the database
does by itself gives the change away.
"""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.sealing import verifying
from persistence.sealing.errors import SealError
from persistence.sealing.notes import Verifier
from persistence.sealing.sources import BY_FORM
from persistence.sealing.stored_tree import STEP, find_leaf, read_leaves, size_of
from persistence.sealing.verdict import Problem, Verdict
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.sealing.leaf import commit_row
from scoring.sealing.tree import Frontier, hash_leaf
from tests.support.data.sealed import SealedLog, Tamper
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant, Rows


def first(verdict: Verdict) -> Problem:
    assert verdict.count > 0
    return verdict.problems[0]


CHANGES = {
    "decision": (
        "UPDATE predictions SET score = 0.01",
        "UPDATE predictions SET decision = 'approve'",
        "UPDATE predictions SET created_at = created_at - interval '1 us'",
        "UPDATE transactions SET amount = amount + 1 WHERE amount IS NOT NULL",
        "UPDATE transactions SET name_dest = 'M9' WHERE event_type_id IS NULL",
        "UPDATE transactions SET external_id = NULL",
        "UPDATE transactions SET fields = fields || '{\"TX_AMOUNT\": 1}'",
        "DELETE FROM predictions",
        "DELETE FROM transactions",
    ),
    "label": (
        "UPDATE labels SET label = 'legitimate'",
        "UPDATE labels SET transaction_id = uuidv7()",
        "DELETE FROM labels",
    ),
    "feedback": ("UPDATE feedback SET rationale = 'nobody called'",),
    "policy": ("UPDATE policies SET policy = NULL", "DELETE FROM policies"),
    "rule": ("UPDATE rules SET condition = 'false'",),
    "rule_change": ("UPDATE rule_changes SET created_at = now() - interval '1 day'",),
    "snooze": ("UPDATE rule_snoozes SET value = 'C9'",),
    "snooze_end": ("UPDATE rule_snoozes SET ended_change = NULL",),
    "list": ("UPDATE lists SET action = 'approve'",),
    "list_end": ("UPDATE lists SET removed_change = 1",),
    "list_entry": (
        "UPDATE list_entries SET digest = substr(sha256('C9'), 1, 16)",
        "DELETE FROM list_entries WHERE removed_change IS NULL",
    ),
    "list_entry_end": ("UPDATE list_entries SET removed_change = NULL",),
    "event_type": ("UPDATE event_types SET document = '{}'",),
    "approval": (
        "UPDATE version_approvals SET note = 'looked away'",
        "DELETE FROM version_approvals",
    ),
    "audit": ("UPDATE audit_log SET actor = 'somebody else'", "DELETE FROM audit_log"),
}
"""Statements by the kind of the row that has to be named."""


def test_a_row_that_was_changed_or_deleted_is_named(
    decided: Decided, log: SealedLog, tamper: Tamper, rows: Rows
) -> None:
    assert log.verify().problems == []
    for kind, statements in CHANGES.items():
        sealed = rows("SELECT key FROM seal_leaves WHERE kind = :kind ORDER BY position", kind=kind)
        for statement in statements:
            table = next(word for word in statement.split() if word.islower())
            tamper(f"CREATE TEMP TABLE saved AS TABLE {table}")
            assert tamper(statement) > 0, statement
            problem = first(log.verify())
            assert problem.row.partition(" ")[0] == kind, statement
            assert problem.row.partition(" ")[2] in {row["key"] for row in sealed}, statement
            tamper(f"DELETE FROM {table}")  # noqa: S608
            tamper(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE saved")
            tamper("DROP TABLE saved")
    assert log.verify().problems == []
    assert decided.tenant_id > 0


def test_the_first_of_several_changed_rows_comes_first(
    engine: Engine, tenant: Tenant, log: SealedLog, tamper: Tamper
) -> None:
    made = (a_decision(tenant.id) for _ in range(5))
    decisions = sorted(made, key=lambda decision: decision.prediction_id)
    DecisionLog(engine).write(decisions)
    log.seal()
    for decision in (decisions[3], decisions[1]):
        tamper("UPDATE predictions SET score = 0.99 WHERE id = %s", decision.prediction_id)
    verdict = log.verify()
    assert verdict.count == 2
    assert first(verdict).row == f"decision {decisions[1].prediction_id}"
    assert first(verdict).what == "is not as it was sealed"


def test_rows_that_change_their_tenants_are_named_in_both(
    engine: Engine, tenant: Tenant, make_tenant: MakeTenant, log: SealedLog, tamper: Tamper
) -> None:
    other = make_tenant("other")
    mine, theirs = a_decision(tenant.id), a_decision(other.id)
    DecisionLog(engine).write([mine, theirs])
    log.seal()
    for table in ("predictions", "transactions"):
        for id_, to in ((mine, other.id), (theirs, tenant.id)):
            key = id_.prediction_id if table == "predictions" else id_.transaction_id
            tamper(f"UPDATE {table} SET tenant_id = %s WHERE id = %s", to, key)  # noqa: S608
    assert first(log.verify()).row == f"decision {mine.prediction_id}"
    assert first(log.verify("other")).row == f"decision {theirs.prediction_id}"


def test_leaves_that_change_places_are_found(
    decided: Decided, log: SealedLog, tamper: Tamper
) -> None:
    tamper(
        "UPDATE seal_leaves SET position = CASE position WHEN 3 THEN -1 ELSE 3 END"
        " WHERE position IN (3, 4)"
    )
    tamper("UPDATE seal_leaves SET position = 4 WHERE position = -1")
    assert decided.tenant_id > 0
    problem = first(log.verify())
    assert "differs from what the head" in problem.what


def test_a_tail_that_was_cut_off_everywhere_is_found(
    engine: Engine, tenant: Tenant, log: SealedLog, tamper: Tamper, rows: Rows
) -> None:
    kept, cut = a_decision(tenant.id), a_decision(tenant.id)
    DecisionLog(engine).write([kept])
    log.seal()
    DecisionLog(engine).write([cut])
    log.seal()
    tamper("DELETE FROM predictions WHERE id = %s", cut.prediction_id)
    tamper("DELETE FROM transactions WHERE id = %s", cut.transaction_id)
    tamper("DELETE FROM seal_leaves WHERE key = %s", str(cut.prediction_id))
    (size,) = (row["size"] for row in rows("SELECT max(size) AS size FROM seal_heads"))
    tamper("DELETE FROM seal_heads WHERE size = %s", size)
    problem = first(log.verify())
    assert problem.position == size - 1
    assert f"has {size} leaves" in problem.what
    with pytest.raises(SealError, match="its end is missing"):
        log.seal()


def test_a_tail_that_was_replaced_is_found_and_not_signed(
    engine: Engine, tenant: Tenant, log: SealedLog, tamper: Tamper
) -> None:
    cut = a_decision(tenant.id)
    DecisionLog(engine).write([cut])
    log.seal()
    tamper("DELETE FROM predictions WHERE id = %s", cut.prediction_id)
    tamper("DELETE FROM seal_leaves WHERE key = %s", str(cut.prediction_id))
    DecisionLog(engine).write([a_decision(tenant.id), a_decision(tenant.id)])
    with pytest.raises(SealError, match="differs from the head"):
        log.seal()
    assert "differs from what the head" in first(log.verify()).what
    assert len(log.files.sizes(tenant.slug)) == 1


def test_a_tenant_that_was_deleted_with_its_whole_log_is_found(
    decided: Decided, log: SealedLog, tamper: Tamper, rows: Rows
) -> None:
    tables = rows(
        "SELECT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class c"
        " ON c.oid = attrelid WHERE attname = 'tenant_id' AND c.relkind = 'r' AND NOT attisdropped"
    )
    for table in tables:
        tamper(f"DELETE FROM {table['name']} WHERE tenant_id = %s", decided.tenant_id)  # noqa: S608
    assert "the log ends" in first(log.verify()).what
    tamper("DELETE FROM tenants WHERE id = %s", decided.tenant_id)
    problem = first(log.verify())
    assert (problem.position, problem.row) == (0, "the whole log")
    assert "there is no such tenant" in problem.what


def test_a_row_whose_leaf_and_nodes_were_forged_too_is_found_by_the_exported_heads(
    engine: Engine, tenant: Tenant, log: SealedLog, tamper: Tamper
) -> None:
    """The forger makes leaf, nodes and heads in Postgres consistent, and cannot reach outside."""
    for _ in range(3):
        DecisionLog(engine).write([a_decision(tenant.id) for _ in range(100)])
        log.seal()
    forged = a_decision(tenant.id)
    DecisionLog(engine).write([forged])
    log.seal()
    DecisionLog(engine).write([a_decision(tenant.id)])
    log.seal()
    tamper("UPDATE predictions SET score = 0.01 WHERE id = %s", forged.prediction_id)
    key = str(forged.prediction_id)
    with tenant_transaction(engine, tenant.id) as connection:
        leaf = find_leaf(connection, tenant.id, "decision", key)
        assert leaf is not None
        assert leaf.salt is not None
        source = BY_FORM[leaf.kind, leaf.form]
        content = source.read(connection, tenant.id, [key])[key]
        commitment = commit_row(leaf.salt, source.fields(content))
    tamper("UPDATE seal_leaves SET commitment = %s WHERE key = %s", commitment, key)
    with tenant_transaction(engine, tenant.id) as connection:
        leaves = read_leaves(connection, tenant.id, 0, size_of(connection, tenant.id))
    frontier = Frontier()
    for leaf in leaves:
        for height, index, node in frontier.append(hash_leaf(leaf.leaf(tenant.slug).data())):
            if height == STEP:
                tamper("UPDATE seal_nodes SET hash = %s WHERE index = %s", node, index)
    tamper("DELETE FROM seal_heads")
    problem = first(log.verify())
    # One row was sealed between the two heads around it, so the head names it alone.
    assert problem.row == f"decision {key}"
    assert f"up to leaf {problem.position}" in problem.what


def test_a_head_of_another_log_or_key_does_not_count(
    engine: Engine, tenant: Tenant, make_tenant: MakeTenant, log: SealedLog
) -> None:
    other = make_tenant("other")
    DecisionLog(engine).write([a_decision(tenant.id), a_decision(other.id)])
    log.seal()
    (size,) = log.files.sizes("demo")
    log.files.path("demo", size).write_text(log.files.read("other", size))
    assert "is of bank.example/sentinel/other" in first(log.verify()).what
    log.files.path("demo", size).write_text(log.files.read("demo", size).replace("other", "demo"))
    assert "signature is not valid" in first(log.verify()).what


def test_files_beside_the_heads_are_named_and_switch_off_no_head(
    engine: Engine, tenant: Tenant, log: SealedLog, tamper: Tamper
) -> None:
    decided = a_decision(tenant.id)
    DecisionLog(engine).write([decided])
    log.seal()
    (size,) = log.files.sizes("demo")
    head = log.files.path("demo", size)
    strays = [
        head.with_name(name) for name in ("0", "0" * 20, str(size), "\u0665", f"0{head.name}")
    ]
    for stray in strays:
        stray.write_text(head.read_text())
    problems = log.verify().problems
    assert {problem.row for problem in problems} == {f"file {stray}" for stray in strays}
    key = str(decided.prediction_id)
    tamper("UPDATE seal_leaves SET commitment = sha256('other') WHERE key = %s", key)
    assert any("differs from what the head" in problem.what for problem in log.verify().problems)


def test_a_problem_is_reported_before_the_rest_of_the_log_is_read(
    decided: Decided, log: SealedLog, tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decided.tenant_id > 0
    tamper("UPDATE audit_log SET actor = 'somebody else'")
    monkeypatch.setattr(verifying, "PAGE_ROWS", 2)
    events: list[object] = []
    verdict = verifying.verify(
        *(log.engine, "demo", decided.tenant_id, log.files, Verifier(log.signer.verifier)),
        progress=lambda rows, _all: events.append(rows),
        report=events.append,
    )
    assert events[0] == verdict.problems[0]
    assert len(events) > verdict.count > 1
