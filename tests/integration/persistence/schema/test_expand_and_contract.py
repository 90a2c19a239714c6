"""The SQL of the previous release works on this release's schema.

Its SQL is kept, as it was released, in `release_<revision>.sql`; see docs/decisions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text

from persistence.api_keys import issue_key, key_prefix
from persistence.decisions.insert_sql import INPUT
from persistence.decisions.rows import Decided, body_digest, decided_from, read_decision
from persistence.decisions.shadow_scores import ShadowLog, ShadowScore
from persistence.decisions.writer import DecisionLog
from persistence.engine import open_database
from persistence.maintenance.migrate import alembic_config, current_revision, head_revision, upgrade
from persistence.maintenance.partitions import DECISIONS, months_made
from persistence.pipeline.binary_arrays import DOCUMENTS
from persistence.review.worklist import read_case
from persistence.tenancy import SERVICE_ROLE
from scoring.features import PAYSIM_FEATURES
from scoring.policy import CostModel, Policy
from tests.support.data.partition_months import NOW, THIS
from tests.support.data.policies import set_policy
from tests.support.data.shadow import a_shadow_score
from tests.support.factories import a_decision, decision_at
from tests.support.fixture_types import MakeTenant

HERE = Path(__file__).parent
FIRST_FEATURES = orjson.dumps(PAYSIM_FEATURES.described.as_document()).decode()
"""Features of every version of a release before 0010, as its statements do not select them."""


def shadows(scores: list[ShadowScore]) -> dict[str, list[Any]]:
    """Return shadow scores as columns."""
    return {
        "tenant_id": [s.tenant_id for s in scores],
        "prediction_id": [s.prediction_id for s in scores],
        "model_name": [s.model.name for s in scores],
        "model_version": [s.model.version for s in scores],
        "margin": [s.margin for s in scores],
        "score": [s.score for s in scores],
        "threshold": [s.threshold for s in scores],
        "decision": [s.decision for s in scores],
    }


def previous_revision() -> str:
    """Return the newest revision whose release is kept: one release may have several migrations."""
    return max(path.stem.removeprefix("release_") for path in HERE.glob("release_*.sql"))


class Previous:
    """The previous release: its statements, on a connection of its own."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], released: str) -> None:
        self._connection = connection
        parts = re.split(r"^-- name: (\w+)\n", released, flags=re.MULTILINE)
        self._statements = dict(zip(parts[1::2], parts[2::2], strict=True))

    @contextmanager
    def transaction(self, *tenant_ids: int) -> Iterator[None]:
        """A transaction that sees the rows of tenants."""
        with self._connection.transaction():
            self("set_tenants", {"tenants": ",".join(map(str, tenant_ids))})
            yield

    def __call__(self, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run a statement by its name; return its rows."""
        cursor = self._connection.execute(self._statements[statement], values)
        return cursor.fetchall() if cursor.description else []

    def insert(self, batch: list[Decided]) -> set[UUID]:
        """Store a batch; return the predictions that were stored."""
        given = {name: [value(d) for d in batch] for name, (_, value) in INPUT.items()}
        documents = (name for name, (kind, _) in INPUT.items() if kind is DOCUMENTS)
        given |= {name: [value and value.decode() for value in given[name]] for name in documents}
        with self.transaction(*{d.tenant_id for d in batch}):
            absent = {row["prediction_id"] for row in self("insert", given)}
        return {d.prediction_id for d in batch} - absent


@pytest.fixture(params=sorted(HERE.glob("release_*.sql")), ids=lambda path: path.stem)
def previous(request: pytest.FixtureRequest, database: str) -> Iterator[Previous]:
    """A previous release on this release's schema."""
    released = request.param.read_text()
    with psycopg.connect(
        database, row_factory=dict_row, autocommit=True, options=f"-c role={SERVICE_ROLE}"
    ) as connection:
        yield Previous(connection, released)


def test_the_previous_releases_revision_is_below_the_newest(engine: Engine) -> None:
    assert current_revision(engine) == head_revision()
    revisions = ScriptDirectory.from_config(alembic_config(engine)).walk_revisions()
    newest, *below = [script.revision for script in revisions]
    assert newest == head_revision()
    assert previous_revision() in below


def test_the_previous_release_decides_on_this_schema(
    engine: Engine, make_tenant: MakeTenant, previous: Previous
) -> None:
    tenant = make_tenant()
    key = issue_key(engine, tenant.id, ("score",), b"secret")
    prefix = {"prefix": key_prefix(key)}
    with previous.transaction():
        previous("set_key_prefix", prefix)
        (result,) = previous("find_key", prefix)
        assert (result["slug"], result["scopes"]) == ("demo", ["score"])
        previous("note_key_use", prefix)
    assert [row["slug"] for row in previous("list_tenants", {})] == ["demo"]
    served = {"tenant_id": tenant.id, "name": "fraud-demo", "version": 7}
    for _ in range(2):
        with previous.transaction(tenant.id):
            previous(
                "record_model_version", served | {"policy": Jsonb({}), "calibrator_kind": "sigmoid"}
            )
            previous("record_promotion", served)
        with previous.transaction(tenant.id):
            previous("record_challenger", served | {"canary_percent": 5.0})
    set_policy(engine, tenant.id, Policy.at(0.2, CostModel()), "tests")
    with previous.transaction(tenant.id):
        (policy,) = previous("current_policies", {})
    batch = [
        a_decision(tenant.id, external_id=f"order-{i}")._replace(policy_id=policy["id"])
        for i in range(3)
    ]
    assert previous.insert(batch) == {d.prediction_id for d in batch}
    asked = {"tenant_id": tenant.id, "prediction_id": batch[0].prediction_id}
    with previous.transaction(tenant.id):
        (row,) = previous("read", asked)
    later = {"described": FIRST_FEATURES, "event_type_id": None, "approval_probability": None}
    stored = decided_from(later | row)
    assert (stored.prediction, stored.policy_id) == (batch[0].prediction, policy["id"])
    with previous.transaction(tenant.id):
        previous("insert_shadow_scores", shadows([a_shadow_score(d) for d in batch]))


def test_each_release_answers_a_key_that_the_other_release_decided(
    service_engine: Engine, make_tenant: MakeTenant, previous: Previous
) -> None:
    tenant_id = make_tenant().id
    log = DecisionLog(service_engine)
    by_old = a_decision(tenant_id, external_id="by-old")
    previous.insert([by_old])
    (answer,) = log.write([a_decision(tenant_id, external_id="by-old")])
    assert isinstance(answer, Decided)
    assert answer.prediction_id == by_old.prediction_id
    by_new = a_decision(tenant_id, external_id="by-new")
    log.write([by_new])
    again = a_decision(tenant_id, external_id="by-new")
    assert previous.insert([again]) == set()
    with previous.transaction(tenant_id):
        (row,) = previous("replay", {"tenant_ids": [tenant_id], "keys": ["by-new"]})
    assert row["id"] == by_new.prediction_id
    assert row["body_digest"] == body_digest(again.transaction)


def test_the_previous_release_issues_keys_gives_feedback_and_reads_the_audit_log(
    engine: Engine, database: str, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decided = a_decision(tenant.id)
    DecisionLog(engine).write([decided])
    released = (HERE / f"release_{previous_revision()}.sql").read_text()
    with psycopg.connect(database, row_factory=dict_row, autocommit=True) as connection:
        previous = Previous(connection, released)
        with previous.transaction(tenant.id):
            key = {"prefix": "k3Jd82mQpz", "digest": b"x", "scopes": ["review"]}
            previous("issue_key", {"tenant_id": tenant.id, **key})
            feedback = {"label": "escalated", "rationale": "seen", "actor": "k3Jd82mQpz"}
            case = {"tenant_id": tenant.id, "transaction_id": decided.transaction_id}
            previous("give_feedback", case | feedback)
            entries = previous("read_audit", {"tenant_id": tenant.id})
    assert [entry["action"] for entry in entries[:2]] == ["feedback.created", "key.created"]
    assert entries[1]["after"]["name"] == "k3Jd82mQpz"
    (label,) = read_case(engine, tenant.id, decided.transaction_id).labels
    assert (label.label, label.source, label.actor) == ("escalated", "analyst", "k3Jd82mQpz")


def test_an_upgrade_keeps_the_rows_of_the_previous_release(
    make_database: Callable[..., str],
) -> None:
    url = make_database()
    engine = open_database(url)
    before = previous_revision()
    command.upgrade(alembic_config(engine), before)
    released = (HERE / f"release_{before}.sql").read_text()
    last_month = THIS.plus(-1)
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
        connection.execute("INSERT INTO tenants (slug, model_name) VALUES ('demo', 'fraud-demo')")
        for table in DECISIONS:
            connection.execute(
                f"CREATE TABLE {last_month.partition_of(table)} PARTITION OF {table}"
                f" FOR VALUES FROM ('{last_month.first_id}') TO ('{THIS.first_id}')"
            )
        previous = Previous(connection, released)
        version = {"tenant_id": 1, "name": "fraud-demo", "version": 1}
        known = {"policy": Jsonb({}), "calibrator_kind": "sigmoid"}
        previous("record_model_version", version | known)
        new = a_decision(1)  # in the default partition: its month has none
        old = decision_at(a_decision(1, external_id="old"), NOW - timedelta(days=NOW.day))
        previous.insert([new, old])
        with previous.transaction(1):
            for label in ("confirmed_fraud", "escalated", "false_positive"):
                of = {"tenant_id": 1, "transaction_id": old.transaction_id}
                given = {"label": label, "rationale": "seen", "actor": "k3Jd82mQpz"}
                previous("give_feedback", of | given)
    upgrade(url)
    for decided in (new, old):
        stored = read_decision(engine, 1, decided.prediction_id)
        assert (stored.prediction, stored.policy_id) == (decided.prediction, None)
    # In one transaction, so at one time: the last one counts.
    case = read_case(engine, 1, old.transaction_id)
    assert [label.label for label in case.labels] == ["legitimate", "escalated", "fraud"]
    assert {label.occurred_at for label in case.labels} == {f.created_at for f in case.feedback}
    assert case.label == case.labels[0]
    with engine.connect() as connection:
        made = months_made(connection)
        unchecked = text("SELECT conname FROM pg_constraint WHERE NOT convalidated")
        assert connection.execute(unchecked).all() == []
    assert made >= {last_month, THIS}
    ShadowLog(engine).write([a_shadow_score(old), a_shadow_score(new)])
    command.check(alembic_config(engine))
    engine.dispose()
