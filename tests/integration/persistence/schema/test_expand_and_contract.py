"""The SQL of earlier releases works on this release's schema.

Their SQL is kept, as it was released, in `release_<revision>.sql`; see docs/decisions.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import Engine

from persistence.api_keys import issue_key, key_prefix
from persistence.decisions.rows import Decided, body_digest, decided_from
from persistence.decisions.writer import DecisionLog
from persistence.maintenance.migrate import alembic_config, current_revision, head_revision
from persistence.review.worklist import read_case
from persistence.tenancy import SERVICE_ROLE
from scoring.features import PAYSIM_FEATURES
from scoring.policy import CostModel, Policy
from tests.support.data.policies import set_policy
from tests.support.data.shadow import a_shadow_score
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant
from tests.support.releases.statements import RELEASES, ReleasedStatements, revision_of

FIRST_FEATURES = orjson.dumps(PAYSIM_FEATURES.described.as_document()).decode()
"""Features of every version of a release before 0010, as its statements do not select them."""


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def previous(request: pytest.FixtureRequest, database: str) -> Iterator[ReleasedStatements]:
    """A previous release on this release's schema."""
    with psycopg.connect(
        database, row_factory=dict_row, autocommit=True, options=f"-c role={SERVICE_ROLE}"
    ) as connection:
        yield ReleasedStatements(connection, request.param)


def test_the_previous_releases_revision_is_below_the_newest(engine: Engine) -> None:
    assert current_revision(engine) == head_revision()
    revisions = ScriptDirectory.from_config(alembic_config(engine)).walk_revisions()
    newest, *below = [script.revision for script in revisions]
    assert newest == head_revision()
    assert revision_of(RELEASES[-1]) in below


def test_the_previous_release_decides_on_this_schema(
    engine: Engine, make_tenant: MakeTenant, previous: ReleasedStatements
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
    known = {"policy": Jsonb({}), "calibrator_kind": "sigmoid", "usual": Jsonb({})}
    for _ in range(2):
        with previous.transaction(tenant.id):
            previous("record_model_version", served | known)
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
    later = {"described": FIRST_FEATURES} | dict.fromkeys(
        (
            "event_type_id",
            "approval_probability",
            "feature_values",
            "contribution_values",
            "decline_threshold",
            "ruling",
        )
    )
    stored = decided_from(later | row)
    assert (stored.prediction, stored.policy_id) == (batch[0].prediction, policy["id"])
    previous.insert_shadow_scores([a_shadow_score(d) for d in batch])


def test_each_release_answers_a_key_that_the_other_release_decided(
    service_engine: Engine, make_tenant: MakeTenant, previous: ReleasedStatements
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
    with psycopg.connect(database, row_factory=dict_row, autocommit=True) as connection:
        previous = ReleasedStatements(connection, RELEASES[-1])
        with previous.transaction(tenant.id):
            previous("set_actor", {"actor": "k3Jd82mQpz", "via": "key k3Jd82mQpz"})
            key = {"prefix": "k3Jd82mQpz", "name": "jane", "digest": b"x", "secret_id": "0123abcd"}
            more = {"scopes": ["review"], "expires_at": None}
            previous("issue_key", {"tenant_id": tenant.id, **key, **more})
            feedback = {"label": "escalated", "rationale": "seen", "actor": "k3Jd82mQpz"}
            case = {"tenant_id": tenant.id, "transaction_id": decided.transaction_id}
            previous("give_feedback", case | feedback)
            entries = previous("read_audit", {"tenant_id": tenant.id})
    assert [entry["action"] for entry in entries[:2]] == ["feedback.created", "key.created"]
    assert entries[1]["after"]["name"] == "jane"
    (label,) = read_case(engine, tenant.id, decided.transaction_id).labels
    assert (label.label, label.source, label.actor) == ("escalated", "analyst", "k3Jd82mQpz")
