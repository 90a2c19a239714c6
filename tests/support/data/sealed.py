"""A sealed log of a test: rows of every kind, a key, a folder of heads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text

from persistence.actor import Actor
from persistence.api_keys import issue_key
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.deployments.approvals import ApprovedVersion, approve_version
from persistence.labels.writer import store_labels
from persistence.policy_proposals import insert_proposal
from persistence.review.worklist import add_feedback
from persistence.sealing.head_files import HeadFiles
from persistence.sealing.notes import Signer, Verifier
from persistence.sealing.sealer import Sealer
from persistence.sealing.verdict import Verdict
from persistence.sealing.verifying import logs, verify
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.event_type.validation import EventValidator
from scoring.policy import CostModel, Policy
from tests.support.data.labels import a_label
from tests.support.data.own_events import decisions_of, put_in_force
from tests.support.data.policies import set_policy
from tests.support.data.rules import put_list, put_rule, put_snooze
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.factories import a_decision

ACTOR = Actor("tests")

Tamper = Callable[..., int]
"""`tamper(statement, *values)` runs a statement past all triggers, and returns the row count."""


class SealedLog:
    """Seals and verifies the test's database.

    Args:
        engine: pool of the tables' owner.
        folder: folder of the heads.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.signer, self.kept_key = Signer.generate("bank.example/sentinel")
        self.files = HeadFiles(folder)

    def seal(self, now: datetime | None = None) -> int:
        """Seal everything as a new process does, and export heads; return the number of rows."""
        sealer = Sealer(self.engine, self.signer, self.files, lambda _seconds: None)
        sealed = sealer.run(full=True, now=now)
        assert sealed is not None
        return sealed

    def verify(self, slug: str = "demo", **options: int) -> Verdict:
        """Verify a tenant's log."""
        tenant_id = logs(self.engine, self.files)[slug]
        verifier = Verifier(self.signer.verifier)
        return verify(
            self.engine, slug, tenant_id, self.files, verifier, least_months=options.get("months")
        )


def put_every_kind(engine: Engine, tenant: Tenant) -> Decided:
    """Store rows of every kind that is sealed, but an expiry; return the decision with feedback."""
    issue_key(engine, tenant.id, ("score",), b"secret", name="till")
    decided = a_decision(tenant.id, external_id="order-1")
    DecisionLog(engine).write([decided, a_decision(tenant.id)])
    with tenant_transaction(engine, tenant.id, actor=ACTOR) as connection:
        add_feedback(
            connection, tenant.id, decided.transaction_id,
            label="confirmed_fraud", rationale="called", actor=ACTOR,
        )  # fmt: skip
        store_labels(connection, tenant.id, [a_label(decided)], ACTOR)
        approved = ApprovedVersion("fraud-demo", 3, 1_700_000_000_000)
        approve_version(connection, tenant.id, approved, ACTOR, "looked at it")
        proposed = Policy.at(0.3, CostModel())
        insert_proposal(
            connection, tenant.id, proposed, base="1", before=proposed, reason=None, actor=ACTOR
        )
    set_policy(engine, tenant.id, Policy.at(0.2, CostModel()), "tests")
    event_type = an_event_type()
    stored = put_in_force(engine, tenant, event_type)
    event = EventValidator(event_type, stored.id).validate(an_event(), NOW_US)
    DecisionLog(engine).write(decisions_of(tenant.id, [event]))
    put_list(engine, tenant.id, values=["C1", "C2"])
    put_rule(engine, tenant.id)
    put_snooze(engine, tenant.id, 1, "C1", datetime(2030, 1, 1, tzinfo=UTC), "account")
    return decided


def end_what_ends(engine: Engine, tenant_id: int) -> None:
    """End a snooze, a list and an entry, in a change of their own."""
    with tenant_transaction(engine, tenant_id, actor=ACTOR) as connection:
        given = {"t": tenant_id}
        change = connection.execute(
            text(
                "INSERT INTO rule_changes (tenant_id, id)"
                " SELECT :t, max(id) + 1 FROM rule_changes WHERE tenant_id = :t RETURNING id"
            ),
            given,
        ).scalar_one()
        for statement in (
            "UPDATE list_entries SET removed_change = :c WHERE tenant_id = :t AND value = 'C1'",
            "UPDATE rule_snoozes SET ended_change = :c WHERE tenant_id = :t",
            "UPDATE lists SET removed_change = :c WHERE tenant_id = :t",
        ):
            connection.execute(text(statement), given | {"c": change})


def put_sealed(engine: Engine, tenant_id: int) -> None:
    """Put a row into each table of the sealed log, of a log that holds nothing."""
    with tenant_transaction(engine, tenant_id, actor=ACTOR) as connection:
        for statement in (
            "INSERT INTO seal_leaves VALUES (:t, 0, 'decision', 1, '', '', '')",
            "INSERT INTO seal_nodes VALUES (:t, 8, 0, '')",
            "INSERT INTO seal_heads VALUES (:t, 1, '', now())",
            "INSERT INTO seal_expiries (tenant_id, month, retain_months, actor)"
            " VALUES (:t, '2026-01', 1, 'tests')",
        ):
            connection.execute(text(statement), {"t": tenant_id})
