"""A database as the last release leaves it behind: with rows of every kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from alembic import command
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from persistence.decisions.batch_keys import batch_request
from persistence.decisions.rows import Decided
from persistence.engine import open_database
from persistence.idempotency import KeyedRequest
from persistence.maintenance.migrate import alembic_config
from persistence.maintenance.partitions import PARTITIONED
from scoring.model import sandbox
from scoring.model.fraud_model import FraudModel
from scoring.policy import Policy, policy_from_numbers
from scoring.prediction import ModelVersion
from scoring.transaction import Transaction
from tests.support.data.partition_months import NOW, THIS
from tests.support.data.shadow import a_shadow_score
from tests.support.factories import a_decision, decision_at
from tests.support.releases.statements import RELEASES, ReleasedStatements, revision_of

TENANT, TRIAL = 1, 2
"""Ids of the tenants; the second is in test mode."""
POLICY = {
    "cost_model": {"missed_fraud": 40.0, "missed_fraud_share": 0.5, "false_alarm": 2.0},
    "threshold": 0.30000000000000004,
    "high_from": 0.75,
}
"""The tenant's own policy, as the release stores it."""
USUAL = {"amount": 74.87, "oldbalance_org": 14208.5}
ANALYST = "k3Jd82mQpz"
BATCH_KEY, REPLY = "batch-1", KeyedRequest("feedback-1", b"the digest of a request")
LAST_MONTH = THIS.plus(-1)


@dataclass(frozen=True)
class LastRelease:
    """A database of the last release.

    Attributes:
        url: its URL.
        decided: decisions by what is special about them.
        batch: decisions that were stored under BATCH_KEY.
    """

    url: str
    decided: dict[str, Decided]
    batch: list[Decided]

    @property
    def all(self) -> list[Decided]:
        """Every decision."""
        return [*self.decided.values(), *self.batch]


def fill_last_release(url: str, champion: FraudModel, challenger: FraudModel) -> LastRelease:
    """Migrate an empty database to the last release's schema, and fill it with its statements.

    Args:
        url: empty database, as its superuser.
        champion: registered version in production.
        challenger: registered version of the same name, which decides for some accounts.
    """
    release = RELEASES[-1]
    engine = open_database(url)
    command.upgrade(alembic_config(engine), revision_of(release))
    engine.dispose()
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
        _tenants_and_partitions(connection)
        run = ReleasedStatements(connection, release)
        policy_id = _deployments(run, champion, challenger)
        filled = LastRelease(url, _decisions(champion, challenger, policy_id), _batch(champion))
        run.insert(list(filled.decided.values()))
        _store_batch(run, filled.batch)
        run.insert_shadow_scores(
            [
                a_shadow_score(filled.decided["plain"], model=challenger.version),
                a_shadow_score(filled.decided["by the canary"], model=champion.version),
            ]
        )
        _reviews(run, filled.decided)
        _operations(run, champion)
    return filled


@contextmanager
def _by(run: ReleasedStatements, actor: str, *tenants: int) -> Iterator[None]:
    with run.transaction(*tenants):
        run("set_actor", {"actor": actor, "via": f"key {actor}"})
        yield


def _tenants_and_partitions(connection: psycopg.Connection[dict[str, object]]) -> None:
    connection.execute(
        "INSERT INTO tenants (slug, model_name, is_test)"
        " VALUES ('demo', 'fraud-demo', false), ('trial', 'fraud-trial', true)"
    )
    for table in PARTITIONED:
        connection.execute(
            f"CREATE TABLE {LAST_MONTH.partition_of(table)} PARTITION OF {table}"
            f" FOR VALUES FROM ('{LAST_MONTH.first_id}') TO ('{THIS.first_id}')"
        )


def _deployments(run: ReleasedStatements, champion: FraudModel, challenger: FraudModel) -> int:
    """Store versions, policies and keys; return the id of the tenant's own policy."""
    served = [_columns(TENANT, model.version) for model in (champion, challenger)]
    fixed = _columns(TRIAL, sandbox.MODEL)
    with _by(run, "mlflow", TENANT, TRIAL):
        for version, kind, usual in (
            (served[0], "sigmoid", Jsonb(USUAL)),
            (served[1], "sigmoid", None),
            (fixed, sandbox.CALIBRATOR_KIND, None),
        ):
            known = {"policy": Jsonb(POLICY), "calibrator_kind": kind, "usual": usual}
            run("record_model_version", version | known)
        run("record_promotion", served[0])
        run("record_challenger", served[1] | {"canary_percent": 12.5})
        refused = served[0] | {"version": 99, "registered_ms": 1_700_000_000_000}
        run("record_refusal", refused | {"reason": "calibrator.json is missing"})
    with _by(run, ANALYST, TENANT):
        (own,) = run("set_policy", {"tenant_id": TENANT, "policy": Jsonb(POLICY), "actor": ANALYST})
        run("set_policy", {"tenant_id": TENANT, "policy": None, "actor": ANALYST})
        key = {"prefix": ANALYST, "name": "jane", "digest": b"x", "secret_id": "0123abcd"}
        more = {"scopes": ["review", "admin"], "expires_at": NOW + timedelta(days=9)}
        run("issue_key", {"tenant_id": TENANT, **key, **more})
    return int(own["id"])


def _columns(tenant_id: int, version: ModelVersion | None) -> dict[str, object]:
    assert version is not None
    return {"tenant_id": tenant_id, "name": version.name, "version": version.version}


def _decisions(champion: FraudModel, challenger: FraudModel, policy_id: int) -> dict[str, Decided]:
    own = policy_from_numbers(POLICY)
    odd = {"amount": 1e-07, "oldbalance_org": -0.0, "name_orig": "=cmd()", "step": 0}
    trial = a_decision(TRIAL, name_orig="TEST-HIGH")
    assert isinstance(trial.transaction, Transaction)
    fixed = sandbox.fixed_prediction(trial.transaction)
    return {
        "plain": _decided(champion),
        "with odd values": _decided(champion, **odd),
        "with an id": _decided(champion, external_id="order-1"),
        "by the tenant's policy": _decided(champion, own)._replace(policy_id=policy_id),
        "by the canary": _decided(challenger, name_orig="C2"),
        "of last month": decision_at(
            _decided(champion, external_id="old"), LAST_MONTH.start + timedelta(days=3)
        ),
        "of a test transaction": trial._replace(prediction=fixed),
    }


def _decided(model: FraudModel, policy: Policy | None = None, **changes: object) -> Decided:
    blank = a_decision(TENANT, **changes)
    (prediction,) = model.predict([blank.transaction], [policy] if policy else None)
    return blank._replace(prediction=prediction)


def _batch(model: FraudModel) -> list[Decided]:
    return [_decided(model, amount=10.0 + i, type="PAYMENT") for i in range(3)]


def _store_batch(run: ReleasedStatements, batch: Sequence[Decided]) -> None:
    request = batch_request(BATCH_KEY, [decided.transaction for decided in batch])
    run.insert(batch)
    with run.transaction(TENANT):
        run("claim_request", {"tenant_id": TENANT, "key": request.key})
        ids = [decided.prediction_id for decided in batch]
        kept = {"key": request.key, "body_digest": request.digest, "prediction_ids": ids}
        run("keep_batch", {"tenant_id": TENANT, **kept})


def _reviews(run: ReleasedStatements, decided: dict[str, Decided]) -> None:
    """Store feedback of each kind, a reply that was kept, and who read what."""
    feedback = [
        ("plain", "escalated"),
        ("with an id", "false_positive"),
        *(("of last month", label) for label in ("confirmed_fraud", "escalated", "false_positive")),
        ("by the canary", "confirmed_fraud"),
    ]
    for name, label in feedback:
        case = {"tenant_id": TENANT, "transaction_id": decided[name].transaction_id}
        month = LAST_MONTH if name == "of last month" else THIS
        span = {"month_from": month.first_id, "month_to": month.plus(1).first_id}
        with _by(run, ANALYST, TENANT):
            run("settle_case", case | span | {"reviewed": label != "escalated"})
            run("give_feedback", case | {"label": label, "rationale": "seen", "actor": ANALYST})
    with _by(run, ANALYST, TENANT):
        kept = {"key": REPLY.key, "body_digest": REPLY.digest, "status": 201, "reply": b"{}"}
        run("keep_reply", {"tenant_id": TENANT, **kept})
        read = {"actor": "jane", "via": f"key {ANALYST}", "action": "transaction.read"}
        of = {"object": f"transactions/{decided['plain'].transaction_id}", "details": Jsonb({})}
        run("log_access", {"tenant_id": TENANT, **read, **of})


def _operations(run: ReleasedStatements, champion: FraudModel) -> None:
    """Store a run of the drift monitor, and that jobs ended well."""
    assert champion.version is not None
    window = {"window_from": NOW - timedelta(days=1), "window_to": NOW, "predictions": 10}
    model = {"model_name": champion.version.name, "model_version": champion.version.version}
    with _by(run, "sentinel monitor", TENANT):
        of = {"tenant_id": TENANT}
        (check,) = run("store_drift_check", of | window | model | {"note": None})
        bins = {"edges": [0.1, 5.0], "trained": [0.5, 0.25, 0.25], "counts": [4, 4, 2]}
        measured = {"trained_rows": 4000, "level": "moderate", "psi": 0.11}
        chance = {"expected_without_drift": 0.05, "limit_without_drift": 0.1}
        for name in ("score", "amount"):
            measure = {"check_id": check["id"], "name": name}
            run("store_drift_measure", of | measure | bins | measured | chance)
    for job in ("monitor", "backup_dump"):
        run("record_job", {"job": job})
