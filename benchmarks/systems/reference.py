"""The reference: a service built from the usual libraries, each used as in its manual.

It has FastAPI on one uvicorn worker, features with pandas, scikit-learn's CalibratedClassifierCV
around LGBMClassifier, a shap.TreeExplainer that is kept between requests, and SQLAlchemy's ORM with
a flush a row and a commit a request. It computes the same features with the same trees as the
service and serves the same requests. It has no tenants, keys or retries, which makes it faster.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click
import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import shap
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import JSON, ForeignKey, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from scoring.features import FEATURE_NAMES
from scoring.transaction import TYPE_CODES

THRESHOLD = 0.05
TOP_FEATURES = 5


class Base(DeclarativeBase):
    """Base class of the reference's tables."""


class TransactionRecord(Base):
    """A transaction of a request."""

    __tablename__ = "transactions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    step: Mapped[int]
    type: Mapped[str]
    amount: Mapped[float]
    name_orig: Mapped[str]
    oldbalance_org: Mapped[float]
    name_dest: Mapped[str]
    oldbalance_dest: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


class PredictionRecord(Base):
    """The decision for a transaction."""

    __tablename__ = "predictions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    transaction_id: Mapped[UUID] = mapped_column(ForeignKey("transactions.id"), index=True)
    score: Mapped[float] = mapped_column(index=True)
    decision: Mapped[str]
    features: Mapped[dict[str, Any]] = mapped_column(JSON)
    contributions: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


class TransactionIn(BaseModel):
    """The request body of /score."""

    step: int
    type: str
    amount: float
    nameOrig: str  # noqa: N815
    oldbalanceOrg: float  # noqa: N815
    nameDest: str  # noqa: N815
    oldbalanceDest: float  # noqa: N815


class BatchIn(BaseModel):
    """The request body of /score/batch."""

    transactions: list[TransactionIn]


class FeatureOut(BaseModel):
    """A feature with its contribution."""

    name: str
    value: float
    contribution: float


class ScoreOut(BaseModel):
    """The reply of /score."""

    transaction_id: UUID
    prediction_id: UUID
    score: float
    decision: str
    top_features: list[FeatureOut]
    base_value: float


class BatchOut(BaseModel):
    """The reply of /score/batch."""

    results: list[ScoreOut]


def features(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute the model's inputs.

    Args:
        frame: transactions, with one column for each field of TransactionIn.

    Returns:
        Frame with the columns of `scoring.features.FEATURE_NAMES`, float64.
    """
    amount, before = frame["amount"], frame["oldbalanceOrg"]
    receiver = frame["oldbalanceDest"]
    return pd.DataFrame(
        {
            "type": frame["type"].map(TYPE_CODES),
            "amount": amount,
            "oldbalance_org": before,
            "oldbalance_dest": receiver,
            "balance_left": before - amount,
            "amount_share": amount / (before.clip(lower=0.0) + 1.0),
            "empties_account": ((amount - before).abs() < 0.005) & (amount > 0),
            "dest_amount_share": amount / (receiver.clip(lower=0.0) + 1.0),
            "dest_is_empty": receiver <= 0,
            "dest_is_merchant": frame["nameDest"].str.startswith("M"),
            "hour_of_day": frame["step"] % 24,
        }
    )[list(FEATURE_NAMES)].astype(np.float64)


class Scorer:
    """Scores, explains and stores transactions.

    Args:
        classifier: joblib file of the classifier.
        database_url: URL of the database in which the tables are created.
    """

    def __init__(self, classifier: Path, database_url: str) -> None:
        self._classifier = joblib.load(classifier)
        trees = self._classifier.calibrated_classifiers_[0].estimator.estimator
        self._explainer = shap.TreeExplainer(trees)
        engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
        Base.metadata.create_all(engine)
        self._session = sessionmaker(engine)

    def score(self, transactions: Sequence[TransactionIn]) -> list[ScoreOut]:
        """Decide n transactions and store the decisions."""
        inputs = features(pd.DataFrame([t.model_dump() for t in transactions]))
        scores = self._classifier.predict_proba(inputs)[:, 1]
        contributions = self._explainer.shap_values(inputs)
        with self._session() as session:
            decided = [
                self._store(session, *row)
                for row in zip(
                    transactions,
                    inputs.to_dict("records"),
                    scores.tolist(),
                    contributions.tolist(),
                    strict=True,
                )
            ]
            session.commit()
        return decided

    def _store(
        self,
        session: Session,
        transaction: TransactionIn,
        inputs: dict[Hashable, float],
        score: float,
        contributions: list[float],
    ) -> ScoreOut:
        record = TransactionRecord(
            step=transaction.step,
            type=transaction.type,
            amount=transaction.amount,
            name_orig=transaction.nameOrig,
            oldbalance_org=transaction.oldbalanceOrg,
            name_dest=transaction.nameDest,
            oldbalance_dest=transaction.oldbalanceDest,
        )
        session.add(record)
        session.flush()
        reasons = dict(zip(FEATURE_NAMES, contributions, strict=True))
        prediction = PredictionRecord(
            transaction_id=record.id,
            score=score,
            decision="review" if score >= THRESHOLD else "approve",
            features=inputs,
            contributions=reasons,
        )
        session.add(prediction)
        session.flush()
        largest = sorted(reasons, key=lambda name: -abs(reasons[name]))[:TOP_FEATURES]
        return ScoreOut(
            transaction_id=record.id,
            prediction_id=prediction.id,
            score=score,
            decision=prediction.decision,
            top_features=[
                FeatureOut(name=name, value=inputs[name], contribution=reasons[name])
                for name in largest
            ],
            base_value=float(self._explainer.expected_value),
        )


def create_app(scorer: Scorer) -> FastAPI:
    """Return the application."""
    app = FastAPI()

    @app.post("/score")
    def score(transaction: TransactionIn) -> ScoreOut:
        return scorer.score([transaction])[0]

    @app.post("/score/batch")
    def score_batch(batch: BatchIn) -> BatchOut:
        return BatchOut(results=scorer.score(batch.transactions))

    @app.get("/health")
    def health() -> str:
        return "ok"

    return app


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--classifier", type=click.Path(path_type=Path), required=True)
@click.option("--database-url", envvar="DATABASE_URL", required=True)
def main(port: int, classifier: Path, database_url: str) -> None:
    """Run the server."""
    # shap warns at every call that the shape of its result changed in an earlier version.
    warnings.filterwarnings("ignore", message="LightGBM binary classifier with TreeExplainer")
    app = create_app(Scorer(classifier, database_url))
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
