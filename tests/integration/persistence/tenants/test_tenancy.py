"""Postgres keeps tenants apart by row-level security, whatever the code does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from persistence.actor import Actor
from persistence.api_keys import issue_key, revoke_key, verify_key
from persistence.cases.changes import CaseForm, Contents, create_case
from persistence.decisions.shadow_scores import ShadowLog
from persistence.decisions.writer import DecisionLog
from persistence.deployments.approvals import ApprovedVersion, approve_version
from persistence.deployments.recording import record_challenger, record_promotions
from persistence.deployments.refusals import record_refusal
from persistence.drift.checks import check_drift
from persistence.history.writer import PastEvent, import_history
from persistence.hourly.expected import fold_expected
from persistence.hourly.folding import GRACE, fold_hours
from persistence.idempotency import KeyedRequest, Reply, write_once
from persistence.labels.writer import store_labels
from persistence.people.saved_searches import save_search
from persistence.policy_proposals import insert_proposal
from persistence.review.worklist import read_case
from persistence.tables import Base
from persistence.tenancy import SERVICE_ROLE, tenant_transaction
from scoring.errors import NotStorable, StoreMisconfigured
from scoring.event_type.validation import EventValidator
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from tests.support.data.drift import last_day, trained
from tests.support.data.labels import a_label
from tests.support.data.own_events import decisions_of, put_in_force
from tests.support.data.people import assign, put_person
from tests.support.data.policies import set_policy
from tests.support.data.rules import put_list, put_rule, put_snooze
from tests.support.data.sealed import put_sealed
from tests.support.data.shadow import a_shadow_score
from tests.support.data.uploads import put_upload
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.factories import a_decision, a_model
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.row_security import WITHOUT_TENANT, check_row_security


def test_every_table_with_tenants_has_a_forced_policy_and_every_other_one_is_explained(
    rows: Rows,
) -> None:
    check_row_security(rows)


def test_every_index_of_a_table_with_tenants_begins_with_the_tenant(rows: Rows) -> None:
    exceptions = {"pk_api_keys", "uq_api_keys_prefix"}  # a key is found before its tenant is known
    stored = rows(
        """
        SELECT i.indexrelid::regclass::text AS name, a.attname AS first
        FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = 1
        WHERE i.indrelid IN (SELECT attrelid FROM pg_attribute WHERE attname = 'tenant_id')
        """
    )
    assert len(stored) > 10
    assert {i["name"] for i in stored if i["first"] != "tenant_id"} == exceptions


def test_the_service_acts_as_a_role_that_owns_nothing_and_bypasses_nothing(
    service_engine: Engine,
) -> None:
    with service_engine.connect() as connection:
        role = connection.execute(
            text(
                "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
            )
        ).one()
        owned = connection.execute(
            text("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        ).scalar_one()
    assert (role.rolname, role.rolsuper, role.rolbypassrls, owned) == (
        SERVICE_ROLE,
        False,
        False,
        0,
    )


@pytest.mark.parametrize(
    "table", sorted(t for t in Base.metadata.tables if t not in WITHOUT_TENANT)
)
def test_a_transaction_sees_only_its_tenants_rows(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant, table: str
) -> None:
    mine, other = fill(engine, make_tenant)
    for seen_as, expected in [((), set()), ((mine,), {mine}), ((mine, other), {mine, other})]:
        with tenant_transaction(service_engine, *seen_as) as connection:
            statement = text(f"SELECT DISTINCT tenant_id FROM {table}")  # noqa: S608 - our tables
            assert set(connection.execute(statement).scalars()) == expected


def fill(engine: Engine, make_tenant: MakeTenant) -> tuple[int, int]:
    """Put rows of two tenants into every table."""
    ids = []
    for slug in ("mine", "other"):
        tenant = make_tenant(slug)
        issue_key(engine, tenant.id, ("score",), b"secret")
        decision = a_decision(tenant.id, external_id="order-1")
        DecisionLog(engine).write([decision])
        with tenant_transaction(engine, tenant.id, actor=Actor("tests")) as connection:
            connection.execute(
                text(
                    "INSERT INTO feedback (tenant_id, transaction_id, label, rationale, actor)"
                    " VALUES (:t, :x, 'escalated', 'to see', 'tests')"
                ),
                {"t": tenant.id, "x": decision.transaction_id},
            )
            store_labels(connection, tenant.id, [a_label(decision)], Actor("tests"))
        set_policy(engine, tenant.id, Policy.at(0.2, CostModel()), "tests")
        challenger = a_model(version=ModelVersion("fraud-demo", 2))
        record_challenger(engine, tenant.id, challenger, 5.0)
        record_refusal(engine, tenant.id, "fraud-demo", 3, 1_700_000_000_000, "files are missing")
        with tenant_transaction(engine, tenant.id, actor=Actor("tests")) as connection:
            approved = ApprovedVersion("fraud-demo", 3, 1_700_000_000_000)
            approve_version(connection, tenant.id, approved, Actor("tests"), None)
            proposed = Policy.at(0.3, CostModel())
            insert_proposal(
                connection, tenant.id, proposed,
                base="1", before=proposed, reason=None, actor=Actor("tests"),
            )  # fmt: skip
        read_case(engine, tenant.id, decision.transaction_id, reader=Actor("tests"))
        ShadowLog(engine).write([a_shadow_score(decision)])
        check_drift(engine, tenant.id, last_day(), {ModelVersion("fraud-demo", 1): trained()})
        write_once(
            engine, tenant.id, lambda _: Reply(200, b"{}"), actor=Actor("tests"),
            request=KeyedRequest("key-1", b"digest"),
        )  # fmt: skip
        event_type = an_event_type()
        stored = put_in_force(engine, tenant, event_type)
        event = EventValidator(event_type, stored.id).validate(an_event(), NOW_US)
        DecisionLog(engine).write(decisions_of(tenant.id, [event]))
        fraud = PastEvent("CUSTOMER_ID", "1", 0, bytes(16), b"\x80", 1)
        import_history(engine, tenant.id, [[fraud]], Actor("tests"))
        put_list(engine, tenant.id, values=["C1"])
        put_rule(engine, tenant.id)
        put_snooze(engine, tenant.id, 1, "C1", datetime(2030, 1, 1, tzinfo=UTC), "account")
        user = put_person(engine, tenant)
        save_search(engine, tenant.id, user.id, name="Risky", parameters="", actor=Actor("tests"))
        with tenant_transaction(engine, tenant.id, actor=Actor("tests")) as connection:
            assign(connection, user, decision.transaction_id)
        fold_hours(engine, tenant.id, datetime.now(UTC) + 2 * GRACE)
        fold_expected(engine, tenant.id)
        contents = Contents([str(decision.transaction_id)], [("account", "C1")], "Seen")
        create_case(engine, tenant.id, CaseForm("Ring"), contents, actor=Actor("tests"))
        put_upload(engine, tenant.id)
        put_sealed(engine, tenant.id)
        ids.append(tenant.id)
    return ids[0], ids[1]


def test_the_batch_writer_cannot_write_for_a_tenant_that_is_not_set(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    with (
        pytest.raises(DBAPIError, match="row-level security"),
        tenant_transaction(service_engine, mine.id) as connection,
    ):
        connection.execute(
            text(
                "INSERT INTO transactions (tenant_id, id, step, type, amount, name_orig,"
                " oldbalance_org, name_dest, oldbalance_dest)"
                " VALUES (:t, uuidv7(), 1, 'PAYMENT', 1, 'C1', 1, 'M1', 1)"
            ),
            {"t": other.id},
        )


def test_a_batch_of_several_tenants_is_written_by_the_service_role(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenants = [make_tenant(slug).id for slug in ("one", "two", "three")]
    batch = [a_decision(t, external_id="same") for t in tenants]
    assert DecisionLog(service_engine).write(batch) == batch
    assert {r["tenant_id"] for r in rows("SELECT tenant_id FROM predictions")} == set(tenants)


def test_a_row_cannot_refer_to_another_tenants_row(engine: Engine, make_tenant: MakeTenant) -> None:
    mine, other = fill(engine, make_tenant)
    with (
        pytest.raises(IntegrityError, match="foreign key"),
        tenant_transaction(engine, mine, other) as connection,
    ):
        connection.execute(
            text(
                "INSERT INTO feedback (tenant_id, transaction_id, label, rationale, actor)"
                " SELECT :mine, id, 'escalated', '', 'tests' FROM transactions"
                " WHERE tenant_id = :other"
            ),
            {"mine": mine, "other": other},
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE predictions SET score = 0",
        "UPDATE transactions SET amount = 0",
        "DELETE FROM predictions",
        "DELETE FROM audit_log",
        "INSERT INTO audit_log (tenant_id, actor, action) VALUES (1, 'me', 'key.created')",
        "UPDATE api_keys SET scopes = ARRAY['admin']",
        "UPDATE api_keys SET name = 'another'",
        "DELETE FROM api_keys",
        "UPDATE saved_searches SET user_id = 1",
        "UPDATE access_log SET actor = 'another'",
        "DELETE FROM access_log",
        "INSERT INTO access_log (tenant_id, id, actor, action, details)"
        " VALUES (1, uuidv7(interval '-1 year'), 'me', 'transaction.read', '{}')",
        "SELECT * FROM access_log_default",
        "INSERT INTO tenants (slug, model_name) VALUES ('new', 'x')",
        "TRUNCATE feedback",
        "CREATE TABLE mine (id int)",
        "SELECT * FROM predictions_default",
        "SELECT * FROM shadow_scores_default",
        "UPDATE policies SET policy = NULL",
        "DELETE FROM policies",
        "UPDATE event_types SET actor = 'another'",
        "DELETE FROM event_types",
        "UPDATE entity_events SET time_us = 0",
        "DELETE FROM entity_events",
        "UPDATE entity_segments SET events = 0",
        "DELETE FROM entity_segments",
        "UPDATE entity_frauds SET known_us = 0",
        "DELETE FROM entity_frauds",
        "UPDATE entity_fraud_changes SET event_id = NULL",
        "DELETE FROM entity_fraud_changes",
        "UPDATE refusals SET reason = ''",
        "UPDATE version_approvals SET actor = ''",
        "DELETE FROM version_approvals",
        "UPDATE policy_proposals SET policy = NULL",
        "UPDATE policy_proposals SET actor = ''",
        "DELETE FROM policy_proposals",
        "UPDATE tenants SET four_eyes_policy = false",
        "UPDATE tenants SET payments_per_second = NULL",
        "DELETE FROM refusals",
        "UPDATE shadow_scores SET score = 0",
        "DELETE FROM shadow_scores",
        "UPDATE tenants SET is_test = true",
        "UPDATE predictions SET policy_id = NULL",
        "UPDATE drift_measures SET psi = 0",
        "DELETE FROM drift_checks",
        "UPDATE users SET email = 'another@bank.example'",
        "DELETE FROM users",
        "UPDATE user_sessions SET expires_at = now() + interval '1 year'",
        "UPDATE sign_in_links SET expires_at = now() + interval '1 year'",
        "DELETE FROM sign_in_links",
        "DELETE FROM cases",
        "UPDATE cases SET created_by = 'another'",
        "UPDATE case_events SET actor = 'another'",
        "UPDATE case_entities SET actor = 'another'",
        "UPDATE case_notes SET text = 'another'",
        "DELETE FROM case_notes",
        "DELETE FROM uploads",
        "UPDATE uploads SET sha256 = ''",
        "UPDATE upload_parts SET content = ''",
        "UPDATE upload_chunks SET results = ''",
        "DELETE FROM upload_chunks",
        "DELETE FROM upload_leases",
        "UPDATE labels SET label = 'legitimate'",
        "DELETE FROM labels",
        "INSERT INTO seal_leaves (tenant_id, position, kind, form, key, commitment)"
        " VALUES (1, 0, 'decision', 1, '', '')",
        "UPDATE seal_leaves SET salt = NULL",
        "DELETE FROM seal_leaves",
        "UPDATE seal_nodes SET hash = ''",
        "DELETE FROM seal_heads",
        "INSERT INTO seal_expiries (tenant_id, month, retain_months, actor)"
        " VALUES (1, '2026-01', 1, 'me')",
        "DELETE FROM decision_hours",
        "DELETE FROM expected_hours",
        "DELETE FROM category_hours",
        "DELETE FROM hour_counting",
        "DELETE FROM list_counts",
        "UPDATE list_counts SET entries = 0",
        "INSERT INTO labels (tenant_id, transaction_id, label, source, occurred_at, actor,"
        " feedback_id) VALUES (1, uuidv7(), 'escalated', 'analyst', now(), 'me', 1)",
        "INSERT INTO labels (tenant_id, transaction_id, label, source, occurred_at, actor,"
        " created_at) VALUES (1, uuidv7(), 'fraud', 'analyst', now(), 'me', now())",
    ],
)
def test_the_service_role_may_not_change_or_delete_decisions(
    service_engine: Engine, make_tenant: MakeTenant, statement: str
) -> None:
    tenant = make_tenant()
    with (
        pytest.raises(StoreMisconfigured, match=r"permission denied|must be owner"),
        tenant_transaction(service_engine, tenant.id) as connection,
    ):
        connection.execute(text(statement))


def test_a_key_is_found_before_its_tenant_is_known_and_only_that_key(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    key = issue_key(engine, make_tenant("mine").id, ("score",), b"secret")
    issue_key(engine, make_tenant("other").id, ("score",), b"secret")
    principal = verify_key(service_engine, key, b"secret")
    assert principal is not None
    assert principal.tenant_slug == "mine"
    used = rows("SELECT tenant_id FROM api_keys WHERE last_used_at IS NOT NULL")
    assert [r["tenant_id"] for r in used] == [principal.tenant_id]


def test_the_service_issues_and_revokes_keys_of_its_tenant_only(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    key = issue_key(service_engine, mine.id, ("score",), b"secret", name="till")
    assert verify_key(service_engine, key, b"secret") is not None
    revoke_key(service_engine, mine.id, "till")
    assert verify_key(service_engine, key, b"secret") is None
    with (
        pytest.raises(StoreMisconfigured, match="a revoked key stays revoked"),
        tenant_transaction(service_engine, mine.id) as connection,
    ):
        connection.execute(text("UPDATE api_keys SET revoked_at = NULL"))
    naming_a_prefix = text(
        "INSERT INTO api_keys (tenant_id, prefix, name, digest, scopes)"
        " SELECT :t, set_config('sentinel.key_prefix', 'abcdefghij', true), 'theirs', '',"
        " ARRAY['admin']"
    )
    with (
        pytest.raises(DBAPIError, match="row-level security"),
        tenant_transaction(service_engine, mine.id) as connection,
    ):
        connection.execute(naming_a_prefix, {"t": other.id})


def test_the_service_records_a_promotion_and_repeats_are_not_audited(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    for _ in range(2):
        for version in (2, 2):
            model = a_model(version=ModelVersion("fraud-demo", version))
            record_promotions(service_engine, [tenant.id], model)
    seen = rows("SELECT action, after->>'version' AS version FROM audit_log ORDER BY id")
    promotions = [(r["action"], r["version"]) for r in seen if r["action"][:9] == "promotion"]
    assert promotions == [("promotion.created", "1"), ("promotion.changed", "2")]


def test_a_row_refused_by_postgres_fails_alone(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    batch = [a_decision(tenant.id) for _ in range(9)]
    impossible = a_decision(tenant.id, score=1.5)
    outcomes = DecisionLog(service_engine).write([*batch[:4], impossible, *batch[4:]])
    assert outcomes[:4] + outcomes[5:] == batch
    assert isinstance(outcomes[4], NotStorable)
    assert rows("SELECT count(*) FROM predictions")[0]["count"] == 9


@pytest.mark.parametrize(
    ("change", "action"),
    [
        ("UPDATE tenants SET model_name = 'fraud-other'", "tenant.changed"),
        ("UPDATE api_keys SET revoked_at = now()", "key.changed"),
        ("DELETE FROM api_keys", "key.removed"),
        ("UPDATE production_versions SET since = now() - interval '1 day'", "promotion.changed"),
        ("DELETE FROM feedback", "feedback.removed"),
        ("DELETE FROM labels", "label.removed"),
        ("UPDATE labels SET amount_lost = 1 WHERE feedback_id IS NULL", "label.changed"),
        ("UPDATE policies SET actor = 'another'", "policy.changed"),
        ("UPDATE challenger_versions SET canary_percent = 50", "challenger.changed"),
        ("DELETE FROM challenger_versions", "challenger.removed"),
        ("UPDATE refusals SET reason = 'another'", "refusal.changed"),
        ("UPDATE version_approvals SET note = 'another'", "approval.changed"),
        ("DELETE FROM version_approvals", "approval.removed"),
        ("UPDATE policy_proposals SET note = 'another'", "policy_proposal.changed"),
        ("UPDATE users SET role = 'admin'", "user.changed"),
        ("DELETE FROM user_sessions", "session.removed"),
        ("UPDATE sign_in_links SET used_at = now()", "link.changed"),
        ("UPDATE cases SET title = 'Another'", "case.changed"),
        ("DELETE FROM case_events", "case_event.removed"),
        ("DELETE FROM case_entities", "case_entity.removed"),
        ("UPDATE case_notes SET text = 'Another'", "case_note.changed"),
        ("UPDATE uploads SET reason = 'Another'", "upload.changed"),
        ("UPDATE review_assignments SET at = now() - interval '1 day'", "assignment.changed"),
    ],
)
def test_each_change_of_an_audited_table_is_logged_with_actor_before_and_after(
    engine: Engine, make_tenant: MakeTenant, rows: Rows, change: str, action: str
) -> None:
    mine, other = fill(engine, make_tenant)
    with tenant_transaction(engine, mine, other, actor=Actor("auditor", "by hand")) as connection:
        connection.execute(text(change))
    entry = rows("SELECT * FROM audit_log WHERE tenant_id = :t ORDER BY id DESC", t=mine)[0]
    assert (entry["action"], entry["actor"], entry["via"]) == (action, "auditor", "by hand")
    assert entry["object"]
    assert entry["before"] is not None
    assert (entry["after"] is None) == action.endswith("removed")
    assert not {"digest", "password_hash"} & set(entry["before"])


def test_creating_is_audited_in_every_audited_table(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    mine, _ = fill(engine, make_tenant)
    actions = {
        r["action"] for r in rows("SELECT action FROM audit_log WHERE tenant_id = :t", t=mine)
    }
    # Using a link sets the password, and an upload is started.
    assert actions - {"link.changed", "upload.changed", "user.changed"} == {
        f"{noun}.created"
        for noun in (
            "approval",
            "assignment",
            "case",
            "case_entity",
            "case_event",
            "case_note",
            "challenger",
            "event_type",
            "feedback",
            "key",
            "label",
            "link",
            "list",
            "list_entries",
            "policy",
            "policy_proposal",
            "promotion",
            "refusal",
            "rule",
            "search",
            "session",
            "snooze",
            "tenant",
            "upload",
            "user",
        )
    }
