"""Maintenance makes partitions ahead, empties the default ones, and drops old months."""

from __future__ import annotations

import threading
from collections.abc import Callable
from os import getuid
from pwd import getpwuid
from time import sleep
from urllib.parse import urlsplit

import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import Engine, text

from persistence.actor import Actor
from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_promotions
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from persistence.maintenance.errors import MaintenanceError
from persistence.maintenance.maintenance import MONTHS_AHEAD, maintain
from persistence.people import links
from persistence.people.sessions import token_digest
from persistence.review.assignments import assign, claim
from persistence.tenancy import SERVICE_ROLE, tenant_transaction
from persistence.tenants import Tenant, create_tenant
from scoring.errors import NotFound
from scoring.prediction import ModelVersion
from sentinel.cli.main import main
from tests.support.data.partition_months import (
    NOW,
    THIS,
    decided_in,
    months,
    partition_of,
    starting,
)
from tests.support.data.people import put_person
from tests.support.factories import a_decision, a_model
from tests.support.fixture_types import Rows
from tests.support.postgres.row_security import check_row_security


def test_an_upgrade_makes_the_partitions_of_this_month_and_those_ahead(engine: Engine) -> None:
    assert months(engine) == [THIS.plus(i) for i in range(MONTHS_AHEAD + 1)]


def test_a_month_later_one_more_month_is_made_and_a_second_run_changes_nothing(
    owner: Engine, engine: Engine
) -> None:
    lines: list[str] = []
    later = starting(THIS.plus(1).year, THIS.plus(1).month)
    maintain(owner, later, report=lines.append)
    assert months(engine)[-1] == THIS.plus(1 + MONTHS_AHEAD)
    assert lines == [f"Created the partitions of {THIS.plus(1 + MONTHS_AHEAD)}."]
    maintain(owner, later, report=lines.append)
    assert "nothing to do" in lines[-1]


def test_new_partitions_have_row_security_and_match_the_table_definitions(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    decide(THIS.plus(-1))
    maintain(owner, NOW)
    maintain(owner, starting(THIS.year + 1, THIS.month), retain_months=12)
    check_row_security(rows)
    command.check(migrate.alembic_config(engine))
    assert rows("SELECT conname FROM pg_constraint WHERE NOT convalidated") == []


def test_a_decision_in_the_default_partition_is_moved_to_its_month(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    stray = decide(THIS.plus(-2), feedback=True, external_id="stray")
    far = decide(THIS.plus(40))
    assert partition_of(rows, stray) == {"predictions_default", "transactions_default"}
    lines: list[str] = []
    maintain(owner, NOW, report=lines.append)
    assert partition_of(rows, stray) == {
        THIS.plus(-2).partition_of("predictions"),
        THIS.plus(-2).partition_of("transactions"),
    }
    assert f"Moved 1 row of {THIS.plus(-2)} out of the default partitions." in lines
    assert "Left 1 row of later months in the default partitions." in lines
    assert partition_of(rows, far) == {"predictions_default", "transactions_default"}
    assert read_decision(engine, stray.tenant_id, stray.prediction_id).prediction == (
        stray.prediction
    )
    (again,) = DecisionLog(engine).write([a_decision(stray.tenant_id, external_id="stray")])
    assert isinstance(again, Decided)
    assert again.prediction_id == stray.prediction_id
    assert len(rows("SELECT FROM feedback")) == 1


def test_labels_that_a_release_without_them_left_behind_are_deleted_with_the_next_month(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    decided = decide(THIS.plus(-3))
    with tenant_transaction(engine, decided.tenant_id) as connection:
        connection.execute(
            text(
                "INSERT INTO labels (tenant_id, transaction_id, label, source, occurred_at, actor)"
                " SELECT :t, id, 'fraud', 'rule', now(), 'tests' FROM unnest(:ids) AS id"
            ),
            {"t": decided.tenant_id, "ids": [THIS.plus(-5).first_id, THIS.first_id]},
        )
    maintain(owner, NOW, retain_months=1)
    kept = rows("SELECT transaction_id FROM labels")
    assert kept == [{"transaction_id": THIS.first_id}]


def test_an_upgrade_moves_rows_of_this_month_out_of_the_default_partition(
    database: str, owner: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    with owner.begin() as connection:
        for table in ("predictions", "transactions"):
            connection.execute(text(f"DROP TABLE {THIS.partition_of(table)} CASCADE"))
    stray = decide(THIS)
    migrate.upgrade(database)
    assert THIS.partition_of("predictions") in partition_of(rows, stray)


def test_retention_drops_whole_old_months_and_keeps_newer_ones(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    ages = [3, 2, 1, 0]
    stored = {age: decide(THIS.plus(-age), feedback=True, external_id=f"{age}") for age in ages}
    lines: list[str] = []
    maintain(owner, NOW, retain_months=1, report=lines.append)
    assert months(engine)[0] == THIS.plus(-1)
    dropped = "1 decision, 1 idempotency key, 1 entry of feedback, 1 label."
    assert f"Dropped {THIS.plus(-2)}: {dropped}" in lines
    for age, decided in stored.items():
        if age > 1:
            with pytest.raises(NotFound):
                read_decision(engine, decided.tenant_id, decided.prediction_id)
        else:
            read_decision(engine, decided.tenant_id, decided.prediction_id)
    assert {r["key"] for r in rows("SELECT key FROM idempotency_keys")} == {"0", "1"}
    for table in ("feedback", "labels"):
        kept = rows(f"SELECT transaction_id FROM {table}")  # noqa: S608 - our tables
        assert {r["transaction_id"] for r in kept} == {
            stored[0].transaction_id,
            stored[1].transaction_id,
        }
    removed = rows("SELECT actor FROM audit_log WHERE action = 'feedback.removed'")
    assert removed == [{"actor": "sentinel db"}] * 2
    assert isinstance(DecisionLog(engine).write([a_decision(stored[0].tenant_id)])[0], Decided)


def test_a_key_dropped_with_its_decision_can_be_decided_again(
    owner: Engine, engine: Engine, decide: Callable[..., Decided]
) -> None:
    old = decide(THIS.plus(-3), external_id="order-1")
    maintain(owner, NOW, retain_months=2)
    new = decide(external_id="order-1", amount=1.0)
    assert new.prediction_id != old.prediction_id
    maintain(owner, NOW, retain_months=2)
    (again,) = DecisionLog(engine).write(
        [a_decision(new.tenant_id, external_id="order-1", amount=1.0)]
    )
    assert isinstance(again, Decided)
    assert again.prediction_id == new.prediction_id


def test_nothing_is_dropped_unless_a_retention_is_named(
    owner: Engine, engine: Engine, decide: Callable[..., Decided]
) -> None:
    ancient = decide(THIS.plus(-100))
    maintain(owner, NOW)
    assert read_decision(engine, ancient.tenant_id, ancient.prediction_id)


def test_a_dry_run_lists_the_changes_and_makes_none(
    owner: Engine, engine: Engine, decide: Callable[..., Decided]
) -> None:
    decide(THIS.plus(-5))
    before = months(engine)
    lines: list[str] = []
    maintain(owner, NOW, retain_months=2, dry_run=True, report=lines.append)
    assert lines == [
        f"Would move 1 row of {THIS.plus(-5)} out of the default partitions.",
        f"Would drop {THIS.plus(-5)} with its decisions, idempotency keys, feedback and labels.",
    ]
    assert months(engine) == before


def test_claims_sessions_and_links_that_have_ended_are_deleted_and_others_stay(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    old, *others = decide(THIS.plus(-2)), decide(), decide(), decide()
    tenant = Tenant(old.tenant_id, "acme", "fraud")
    ana = put_person(engine, tenant)
    links.create_link(engine, ana, "sign_in", actor=Actor("setup"))
    sign_in = links.create_link(engine, ana, "password", actor=Actor("setup"))
    for decided in (old, *others):
        claim(engine, decided.transaction_id, ana)
    assign(engine, [old.transaction_id, others[0].transaction_id], ana)
    statements = (
        "UPDATE review_assignments SET until = now() WHERE transaction_id = :claimed",
        "UPDATE user_sessions SET expires_at = now()",
        "UPDATE sign_in_links SET expires_at = now() WHERE digest <> :digest",
    )
    given = {"claimed": others[1].transaction_id, "digest": token_digest(sign_in)}
    with tenant_transaction(engine, tenant.id) as connection:
        for statement in statements:
            connection.execute(text(statement), given)
    lines: list[str] = []
    maintain(owner, NOW, dry_run=True, report=lines.append)
    said = "1 claim, 1 session and 2 one-time links that had ended."
    assert f"Would delete {said}" in lines
    maintain(owner, NOW, report=lines.append)
    assert f"Deleted {said}" in lines
    assert rows("SELECT count(*) FROM sign_in_links") == [{"count": 1}]
    maintain(owner, NOW, retain_months=1)
    found = rows("SELECT transaction_id, until IS NULL AS stays FROM review_assignments")
    # Ids of one millisecond are in no order.
    assert {row["transaction_id"]: row["stays"] for row in found} == {
        others[0].transaction_id: True,
        others[2].transaction_id: False,
    }


def test_the_access_log_has_a_retention_of_its_own(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    old, new = decide(THIS.plus(-2)), decide()
    entry = text(
        "INSERT INTO access_log (tenant_id, id, actor, action, details)"
        " VALUES (:t, :i, 'anna', 'transaction.read', '{}')"
    )
    with tenant_transaction(engine, old.tenant_id) as connection:
        for decided in (old, new):
            connection.execute(entry, {"t": old.tenant_id, "i": decided.transaction_id})
    lines: list[str] = []
    maintain(owner, NOW, retain_access_months=1, dry_run=True, report=lines.append)
    assert lines[-1] == f"Would drop the access log of {THIS.plus(-2)}."
    maintain(owner, NOW, retain_access_months=1, report=lines.append)
    assert f"Dropped the access log of {THIS.plus(-2)}." in lines
    assert rows("SELECT id FROM access_log") == [{"id": new.transaction_id}]
    assert read_decision(engine, old.tenant_id, old.prediction_id)
    maintain(owner, NOW, retain_months=1, actor=Actor("root", "sentinel db maintain"))
    assert rows("SELECT count(*) FROM predictions")[0]["count"] == 1
    assert rows("SELECT count(*) FROM access_log")[0]["count"] == 1


def test_a_look_up_by_id_reads_one_partition(
    engine: Engine, decide: Callable[..., Decided]
) -> None:
    decided = decide()
    for table, id_ in [
        ("predictions", decided.prediction_id),
        ("transactions", decided.transaction_id),
    ]:
        with engine.connect() as connection:
            plan = connection.execute(
                text(f"EXPLAIN SELECT * FROM {table} WHERE tenant_id = :t AND id = :i"),  # noqa: S608
                {"t": decided.tenant_id, "i": id_},
            )
            scans = [line for line in plan.scalars() if " on " in line]
        assert len(scans) == 1
        assert THIS.partition_of(table) in scans[0]


def test_a_second_run_waits_for_the_first(
    owner: Engine, engine: Engine, decide: Callable[..., Decided]
) -> None:
    decide(THIS.plus(-3))
    lines: list[str] = []
    with engine.begin() as first:
        first.execute(text("SELECT pg_advisory_lock(:a, 1)"), {"a": 0x53E47})
        second = threading.Thread(
            target=maintain, args=(owner, NOW), kwargs={"report": lines.append}
        )
        second.start()
        sleep(0.5)
        assert lines == ["Another run is active on this database; waiting for it to end."]
        first.execute(text("SELECT pg_advisory_unlock(:a, 1)"), {"a": 0x53E47})
    second.join(30)
    assert f"Moved 1 row of {THIS.plus(-3)} out of the default partitions." in lines


def test_the_tables_owner_need_not_be_a_superuser(
    make_database: Callable[..., str], postgres_url: str
) -> None:
    url = make_database()
    parts = urlsplit(url)
    name = parts.path.removeprefix("/")
    plain = url.replace(parts.netloc, "plain_owner:secret@")
    superuser = open_database(postgres_url)
    with superuser.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (
            "CREATE ROLE plain_owner LOGIN CREATEROLE PASSWORD 'secret'",
            "GRANT sentinel_service TO plain_owner WITH ADMIN OPTION",
            f"ALTER DATABASE {name} OWNER TO plain_owner",
        ):
            connection.execute(text(statement))
    superuser.dispose()
    migrate.upgrade(plain)
    owner = open_database(plain, pool_size=2, statement_timeout_s=OPERATOR_TIMEOUT_S)
    service = open_database(plain, role=SERVICE_ROLE)
    tenant = create_tenant(owner, "demo", "fraud-demo")
    record_promotions(owner, [tenant.id], a_model(version=ModelVersion("fraud-demo", 1)))
    old, new = (decided_in(service, tenant.id, month) for month in (THIS.plus(-3), THIS))
    maintain(owner, NOW)
    assert THIS.plus(-3) in months(owner)
    assert read_decision(service, old.tenant_id, old.prediction_id)
    maintain(owner, NOW, retain_months=1)
    assert read_decision(service, new.tenant_id, new.prediction_id)
    with pytest.raises(NotFound):
        read_decision(service, old.tenant_id, old.prediction_id)
    with pytest.raises(MaintenanceError, match="owns"):
        maintain(service, starting(THIS.year + 1, 1))
    owner.dispose()
    service.dispose()


def test_the_command_prints_what_it_did(
    database: str, decide: Callable[..., Decided], monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    decide(THIS.plus(-3), feedback=True)
    arguments = ["--retain-months", "2", "--retain-access-months", "1"]
    run = CliRunner().invoke(main, ["db", "maintain", *arguments])
    assert run.exit_code == 0, run.output
    assert f"Dropped {THIS.plus(-3)}: 1 decision," in run.output
    assert f"Dropped the access log of {THIS.plus(-3)}." in run.output
    (removed,) = rows("SELECT actor, via FROM audit_log WHERE action = 'feedback.removed'")
    assert removed == {"actor": getpwuid(getuid()).pw_name, "via": "sentinel db maintain"}
    refused = CliRunner().invoke(main, ["db", "maintain", "--retain-months", "0"])
    assert refused.exit_code != 0
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    away = CliRunner().invoke(main, ["db", "maintain"])
    assert away.exit_code == 1
    assert "Postgres cannot be reached" in away.output
