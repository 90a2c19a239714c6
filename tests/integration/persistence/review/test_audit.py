"""Changes and readings are logged with their actor, and found by action, actor, object and time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import Engine, text

from persistence.actor import Actor
from persistence.api_keys import issue_key, rename_key
from persistence.decisions.rows import read_decision
from persistence.deployments.recording import Promoter, record_promotions
from persistence.deployments.served_versions import served_versions
from persistence.engine import open_database
from persistence.maintenance.migrate import alembic_config, upgrade
from persistence.review.audit import ALL, AuditEntry, AuditFilter, read_accesses, read_changes
from persistence.review.search import Search, SearchReader, find_transactions
from persistence.review.worklist import read_case
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant, create_tenant, set_test_mode
from scoring.errors import NotFound
from scoring.prediction import ModelVersion
from tests.support.data.review import decide, say, store
from tests.support.factories import a_model
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.query_plans import plans

ANNA = Actor("anna", "key k3Jd82mQpz")
BEN = Actor("ben", "key x7Jd82mQpa")
SEARCHED = SearchReader(BEN, "transactions.searched")
EXPORTED = SearchReader(ANNA, "transactions.exported")


def readings(engine: Engine, tenant: Tenant, wanted: AuditFilter = ALL) -> list[AuditEntry]:
    return read_accesses(engine, tenant.id, wanted, limit=100).entries


def test_the_audit_log_is_read_newest_first_page_by_page(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    make_tenant("other")
    for _ in range(5):
        issue_key(engine, tenant.id, ("score",), b"secret")
    whole = read_changes(service_engine, tenant.id, limit=50)
    assert whole.next is None
    assert [e.action for e in whole.entries] == [
        *["key.created"] * 5,
        "promotion.created",
        "tenant.created",
    ]
    of_keys = AuditFilter(action="key.created")
    first = read_changes(service_engine, tenant.id, of_keys, limit=3)
    last = first.entries[-1]
    assert isinstance(last.id, int)
    rest = read_changes(service_engine, tenant.id, of_keys, limit=3, before=(last.at, last.id))
    assert (first.next is None, rest.next) == (False, None)
    assert first.entries + rest.entries == whole.entries[:5]


def test_changes_are_found_by_actor_object_and_time(engine: Engine, service_engine: Engine) -> None:
    tenant = create_tenant(engine, "acme", "fraud-acme", actor=Actor("root", "sentinel tenants"))
    set_test_mode(engine, "acme", True, actor=ANNA)
    issue_key(engine, tenant.id, ("score",), b"secret", name="core", actor=ANNA)
    rename_key(engine, tenant.id, "core", "core banking", actor=BEN)
    record_promotions(engine, [tenant.id], a_model(version=ModelVersion("fraud-acme", 1)))
    decision = decide(tenant, model=ModelVersion("fraud-acme", 1))
    store(engine, decision)
    say(engine, decision, "escalated")

    def matching_actions(**wanted: Any) -> list[str]:
        page = read_changes(service_engine, tenant.id, AuditFilter(**wanted), limit=100)
        return [entry.action for entry in page.entries[::-1]]

    everything = read_changes(service_engine, tenant.id, limit=100).entries[::-1]
    key = everything[2].after or {}
    assert (key["name"], "digest" in key, "secret_id" in key) == ("core", False, False)
    assert [(entry.actor, entry.via) for entry in everything[:4]] == [
        ("root", "sentinel tenants"),
        ("anna", "key k3Jd82mQpz"),
        ("anna", "key k3Jd82mQpz"),
        ("ben", "key x7Jd82mQpa"),
    ]
    assert matching_actions(actor="anna") == ["tenant.changed", "key.created"]
    assert matching_actions(actor="anna", action="key.created") == ["key.created"]
    assert matching_actions(object=f"keys/{key['prefix']}") == ["key.created", "key.changed"]
    assert matching_actions(object="tenants/acme") == ["tenant.created", "tenant.changed"]
    assert matching_actions(object="models/fraud-acme/1") == ["promotion.created"]
    assert matching_actions(object=f"transactions/{decision.transaction_id}") == [
        "feedback.created"
    ]
    third = everything[2].at
    assert matching_actions(until=third) == ["tenant.created", "tenant.changed"]
    assert matching_actions(since=third) == [entry.action for entry in everything[2:]]
    assert matching_actions(since=third, until=third) == []


def test_a_case_read_by_id_or_by_prediction_is_logged_and_one_not_found_is_not(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    decision, theirs = decide(mine), decide(other)
    store(service_engine, decision, theirs)
    begun = datetime.now(UTC) - timedelta(milliseconds=1)
    read_case(service_engine, mine.id, decision.transaction_id, reader=ANNA)
    read_decision(service_engine, mine.id, decision.prediction_id, reader=BEN)
    for read, id_ in ((read_case, theirs.transaction_id), (read_decision, theirs.prediction_id)):
        with pytest.raises(NotFound):
            read(service_engine, mine.id, id_, reader=BEN)
    by_prediction, by_id = readings(service_engine, mine)
    assert (by_id.actor, by_id.via) == (ANNA.name, ANNA.via)
    assert (by_prediction.actor, by_prediction.via) == (BEN.name, BEN.via)
    for entry in (by_prediction, by_id):
        assert isinstance(entry.id, UUID)
        assert entry.action == "transaction.read"
        assert entry.object == f"transactions/{decision.transaction_id}"
        assert begun <= entry.at <= datetime.now(UTC)
    assert readings(service_engine, other) == []


def test_searches_are_logged_with_filter_and_rows_and_named_for_one_account_or_case(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decisions = [
        decide(tenant, external_id=f"order-{i}", name_orig="C1/a", amount=i) for i in range(3)
    ]
    store(service_engine, *decisions)

    def search(reader: SearchReader = SEARCHED, limit: int = 10, **filters: Any) -> Any:
        return find_transactions(
            service_engine, tenant.id, Search(**filters), limit=limit, reader=reader
        )

    search(account="C1/a", amount_max=1.5)
    search(account="nobody")
    search(external_id="order-2")
    search(external_id="none", from_ms=1_000, to_ms=61_001)
    page = search(reader=EXPORTED, limit=2)
    last = page.entries[-1].decided.transaction_id
    find_transactions(service_engine, tenant.id, Search(), limit=2, before=last, reader=EXPORTED)
    items = [(e.actor, e.action, e.object, e.details) for e in readings(service_engine, tenant)]
    assert items[::-1] == [
        (
            "ben",
            "transactions.searched",
            "accounts/C1/a",
            {"filter": {"account": "C1/a", "amount_max": 1.5}, "rows": 2},
        ),
        (
            "ben",
            "transactions.searched",
            "accounts/nobody",
            {"filter": {"account": "nobody"}, "rows": 0},
        ),
        (
            "ben",
            "transactions.searched",
            f"transactions/{decisions[2].transaction_id}",
            {"filter": {"external_id": "order-2"}, "rows": 1},
        ),
        (
            "ben",
            "transactions.searched",
            None,
            {
                "filter": {
                    "external_id": "none",
                    "from": "1970-01-01T00:00:01.000+00:00",
                    "to": "1970-01-01T00:01:01.001+00:00",
                },
                "rows": 0,
            },
        ),
        ("anna", "transactions.exported", None, {"filter": {}, "rows": 2}),
        ("anna", "transactions.exported", None, {"filter": {}, "rows": 1, "after": str(last)}),
    ]


def test_readings_are_found_by_action_actor_object_and_time_page_by_page(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decision, another = decide(tenant), decide(tenant)
    store(service_engine, decision, another)
    for read in (decision, another, decision):
        read_case(service_engine, tenant.id, read.transaction_id, reader=ANNA)
    find_transactions(service_engine, tenant.id, Search(), limit=5, reader=SEARCHED)
    everything = readings(service_engine, tenant)
    assert len(everything) == 4
    assert readings(service_engine, tenant, AuditFilter(actor="ben")) == everything[:1]
    case = AuditFilter(object=f"transactions/{decision.transaction_id}")
    assert readings(service_engine, tenant, case) == [everything[1], everything[3]]
    searches = AuditFilter(action="transactions.searched")
    assert readings(service_engine, tenant, searches) == everything[:1]
    end = everything[0].at + timedelta(milliseconds=1)
    assert readings(service_engine, tenant, AuditFilter(since=end)) == []
    assert readings(service_engine, tenant, AuditFilter(until=end)) == everything
    assert readings(service_engine, tenant, AuditFilter(until=everything[-1].at)) == []
    first = read_accesses(service_engine, tenant.id, limit=3)
    assert isinstance(first.entries[-1].id, UUID)
    rest = read_accesses(service_engine, tenant.id, limit=3, before=first.entries[-1].id)
    assert first.entries + rest.entries == everything
    assert (first.next is None, rest.next) == (False, None)


def test_a_promotion_names_its_promoter_in_log_and_versions_until_the_alias_is_moved_by_hand(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()

    def promoted(number: int, promoter: Promoter | None) -> tuple[str, ...]:
        model = a_model(version=ModelVersion("fraud-demo", number))
        record_promotions(service_engine, [tenant.id], model, promoter)
        (entry,) = rows("SELECT actor, via FROM audit_log ORDER BY id DESC LIMIT 1")
        with tenant_transaction(service_engine, tenant.id) as connection:
            versions = served_versions(connection, tenant.id)
        names = {version.model.version: version.promoted_by for version in versions}
        assert names == dict.fromkeys(names) | {number: entry["actor"]}
        return tuple(entry.values())

    by_anna = Promoter(Actor("anna", via="sentinel demo"), datetime.now(UTC))
    assert promoted(2, by_anna) == ("anna", "sentinel demo")
    assert promoted(1, None) == ("mlflow", "mlflow")
    assert promoted(2, by_anna) == ("mlflow", "mlflow"), "the tag is of the promotion before"


def test_a_change_by_hand_is_logged_with_the_database_user(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    with engine.begin() as connection:
        user = connection.execute(text("SELECT session_user")).scalar_one()
        connection.execute(text("UPDATE tenants SET is_test = true"))
    entry = read_changes(service_engine, tenant.id, limit=1).entries[0]
    assert (entry.action, entry.actor, entry.via) == ("tenant.changed", user, None)


def test_each_filter_of_the_logs_uses_an_index(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (
            "INSERT INTO audit_log (tenant_id, at, actor, action, object)"
            " SELECT :t, now() - i * interval '1 s', 'a' || i % 500, 'b' || i % 500 || '.c',"
            " 'd' || i % 500 FROM generate_series(1, 20000) i",
            "INSERT INTO access_log (tenant_id, actor, action, object, details)"
            " SELECT :t, 'a' || i % 500, 'b' || i % 500 || '.c', 'd' || i % 500, '{}'"
            " FROM generate_series(1, 20000) i",
            "ANALYZE audit_log, access_log",
        ):
            connection.execute(text(statement), {"t": tenant.id} if ":t" in statement else {})
    since = datetime.now(UTC) - timedelta(seconds=20_000)
    a_minute = AuditFilter(since=since, until=since + timedelta(seconds=60))
    for wanted, index in (
        (AuditFilter(actor="a7"), "actor"),
        (AuditFilter(action="b7.c"), "action"),
        (AuditFilter(object="d7"), "object"),
        (a_minute, "at"),
    ):
        for read, log in ((read_changes, "audit_log"), (read_accesses, "access_log")):
            if (index, log) == ("at", "access_log"):
                continue  # its time is its id
            nodes = plans(
                service_engine,
                lambda read=read, wanted=wanted: read(service_engine, tenant.id, wanted, limit=50),
            )
            used = {node["Index Name"] for node in nodes if "Index Name" in node}
            assert any(f"_{index}" in name for name in used), (log, index, used)
            assert not [n for n in nodes if n["Node Type"] == "Seq Scan" and n["Actual Rows"]]


def test_an_upgrade_names_old_keys_by_their_prefix_and_finds_the_objects_of_old_entries(
    make_database: Callable[..., str],
) -> None:
    url = make_database()
    owner = open_database(url)
    command.upgrade(alembic_config(owner), "0005")
    with owner.begin() as connection:
        for statement in (
            "INSERT INTO tenants (slug, model_name) VALUES ('acme', 'fraud-acme')",
            "SELECT set_config('sentinel.tenant_ids', '1', true),"
            " set_config('sentinel.actor', 'k3Jd82mQpz', true)",
            "INSERT INTO api_keys (tenant_id, prefix, digest, scopes)"
            " VALUES (1, 'k3Jd82mQpz', 'x', '{score}')",
            "INSERT INTO policies (tenant_id, actor) VALUES (1, 'k3Jd82mQpz')",
        ):
            connection.execute(text(statement))
    upgrade(url)
    tenant_id = 1
    entries = read_changes(owner, tenant_id, limit=50).entries[::-1]
    assert [(e.action, e.actor, e.via, e.object) for e in entries[1:]] == [
        ("key.created", "k3Jd82mQpz", None, "keys/k3Jd82mQpz"),
        ("policy.created", "k3Jd82mQpz", None, "policy"),
    ], "and naming the keys is no entry"
    assert entries[0].object == "tenants/acme"
    with owner.begin() as connection:
        connection.execute(text("SELECT set_config('sentinel.tenant_ids', '1', true)"))
        # As the release at 0005 issues one.
        connection.execute(
            text(
                "INSERT INTO api_keys (tenant_id, prefix, digest, scopes)"
                " VALUES (1, 'x7Jd82mQpa', 'x', '{score}')"
            )
        )
        names = connection.execute(text("SELECT name, secret_id FROM api_keys ORDER BY id"))
        assert names.all() == [("k3Jd82mQpz", None), ("x7Jd82mQpa", None)]
        comment = connection.execute(
            text(
                "SELECT col_description('refusals'::regclass, attnum) FROM pg_attribute"
                " WHERE attrelid = 'refusals'::regclass AND attname = 'registered_ms'"
            )
        ).scalar_one()
    assert comment == "Unix ms; distinguishes a version from a later one with its number"
    owner.dispose()
