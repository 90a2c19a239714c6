"""A tenant with stored decisions, shadow scores and feedback older than a month."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowLog, ShadowScore
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_challenger, record_promotions
from persistence.review.worklist import add_feedback
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant, create_tenant
from persistence.uuid7 import new_ids
from registry.names import model_name
from scoring.columns import BoolArray, FloatArray
from scoring.features import PAYSIM_FEATURES
from scoring.model.calibration import SigmoidCalibrator
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from scoring.transaction import Transaction
from tests.support.factories import a_booster, a_transaction, decision_at, write_whole
from tests.support.stack import mlflow_login
from training.__main__ import cli

_numbers = itertools.count(1)


RIGHT = SigmoidCalibrator(4.0, 3.0)
"""The calibrator with which the booster's probabilities are those that labels are drawn from."""


def fraud_model(calibrator: SigmoidCalibrator = RIGHT, threshold: float = 0.1) -> FraudModel:
    """A model; with the default calibrator its scores are the frauds' true probabilities."""
    policy = Policy.at(threshold, CostModel(100.0, 0.0, 10.0))
    return FraudModel(a_booster(), calibrator, policy, {})


def some_transactions(count: int, seed: int = 0) -> list[Transaction]:
    """Payments of all kinds; about one in twenty is a fraud."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["PAYMENT", "CASH_OUT", "TRANSFER"], count, p=[0.6, 0.3, 0.1])
    balances, shares = rng.lognormal(9, 1.5, count), rng.beta(0.4, 3, count)
    return [
        a_transaction(
            step=int(step),
            type=str(kind),
            amount=round(float(balance * share), 2),
            name_orig=f"C{index}",
            oldbalance_org=round(float(balance), 2),
            name_dest=f"M{index}" if kind == "PAYMENT" else f"C9{index}",
            oldbalance_dest=round(float(other), 2),
        )
        for index, (step, kind, balance, share, other) in enumerate(
            zip(
                np.sort(rng.integers(0, 743, count)), kinds, balances, shares,
                rng.lognormal(8, 2, count), strict=True,
            )
        )
    ]  # fmt: skip


def labels_of(transactions: Sequence[Transaction], seed: int = 0) -> BoolArray:
    """Draw which of them are frauds, bool (n,)."""
    matrix = PAYSIM_FEATURES.matrix_of(transactions)
    chance = RIGHT(fraud_model().margins(matrix))
    drawn: BoolArray = np.random.default_rng([seed, 1]).random(len(transactions)) < chance
    return drawn


@dataclass
class Past:
    """A tenant in a real database, to be filled with matured decisions."""

    engine: Engine
    tenant: Tenant

    def serve(
        self,
        champion: FraudModel,
        transactions: Sequence[Transaction],
        challenger: FraudModel | None = None,
        *,
        is_fraud: BoolArray,
        days_ago: tuple[float, float] = (110.0, 31.0),
    ) -> FloatArray:
        """Decide by the champion, score by the challenger in shadow, and report the frauds.

        Returns:
            The champion's margins, float64 (n,).
        """
        record_promotions(self.engine, [self.tenant.id], champion)
        if challenger is not None:
            record_challenger(self.engine, self.tenant.id, challenger, 0.0)
        now = datetime.now(UTC)
        decided = [
            decision_at(
                Decided(self.tenant.id, *ids, transaction, prediction, 1.0),
                now - timedelta(days=days),
            )
            for days, ids, transaction, prediction in zip(
                np.linspace(*days_ago, len(transactions)).tolist(),
                new_ids(len(transactions)),
                transactions,
                champion.predict(transactions),
                strict=True,
            )
        ]
        for start in range(0, len(decided), 500):
            write_whole(DecisionLog(self.engine), decided[start : start + 500])
        if challenger is not None:
            self._score_in_shadow(challenger, decided)
        for one in itertools.compress(decided, is_fraud):
            actor = Actor("tests")
            with tenant_transaction(self.engine, self.tenant.id, actor=actor) as connection:
                add_feedback(
                    connection, self.tenant.id, one.transaction_id,
                    label="confirmed_fraud", rationale="reported", actor=actor,
                )  # fmt: skip
        return np.array([one.prediction.margin for one in decided])

    def _score_in_shadow(self, model: FraudModel, decided: Sequence[Decided]) -> None:
        assert model.version is not None
        predictions = model.predict([one.transaction for one in decided])
        scores = [
            ShadowScore(
                self.tenant.id, one.prediction_id, model.version, shadow.margin, shadow.score,
                shadow.threshold, shadow.decision,
            )
            for one, shadow in zip(decided, predictions, strict=True)
        ]  # fmt: skip
        for start in range(0, len(scores), 500):
            ShadowLog(self.engine).write(scores[start : start + 500])


@pytest.fixture
def past(engine: Engine) -> Past:
    """A tenant without decisions yet, with a registered model of its own."""
    slug = f"life{os.getpid()}-{next(_numbers)}"
    return Past(engine, create_tenant(engine, slug, model_name(slug)))


def registered(past: Past, model: FraudModel, version: int) -> FraudModel:
    """The model as the registered version that `publish` made of it."""
    return replace(model, version=ModelVersion(past.tenant.model_name, version))


Training = Callable[..., Result]


@pytest.fixture
def training(database: str, mlflow_server: str, tmp_path: Path) -> Iterator[Training]:
    """`python -m training`, in this process, with the test's database and the session's MLflow."""
    environment = {
        **{name: None for name in os.environ if name.startswith(("MLFLOW_", "SENTINEL_"))},
        "DATABASE_URL": database,
        "MLFLOW_TRACKING_URI": mlflow_server,
        **mlflow_login(),
        "SENTINEL_HOME": str(tmp_path / "home"),
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }

    def run(*arguments: object) -> Result:
        done = CliRunner().invoke(cli, [str(a) for a in arguments], env=environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    # The commands end open runs on signals by a handler of their own.
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def write_csv(path: Path, transactions: Sequence[Transaction], is_fraud: BoolArray) -> Path:
    """Write them in the PaySim schema."""
    header = "step,type,amount,nameOrig,oldbalanceOrg,nameDest,oldbalanceDest,isFraud"
    rows = [
        f"{t.step},{t.type},{t.amount},{t.name_orig},{t.oldbalance_org},{t.name_dest},"
        f"{t.oldbalance_dest},{int(fraud)}"
        for t, fraud in zip(transactions, is_fraud, strict=True)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path
