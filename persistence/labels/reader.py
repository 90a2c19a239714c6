"""Labels: what became of decisions that are old enough to tell, as columns for arithmetic.

A transaction's label is its latest feedback: `confirmed_fraud` is fraud, `false_positive` is
honest, `escalated` is not settled and left out. What nobody reported is presumed honest, once the
decision is mature: chargebacks take weeks to come in. Decisions that are not mature are left out
even where an analyst has spoken, since frauds are reported first and would be over-represented.

Ids are UUIDv7, so a span of time is a range of ids: each table is read by its index, in the months
that the span touches. A transaction has its prediction's millisecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, TextClause

from persistence.labels.sql import (
    DECISIONS,
    JOIN_WHOLE,
    MODELS,
    NTH_PREDICTION,
    NTH_SHADOW,
    PAIRS,
    TRANSACTIONS,
)
from persistence.raw_connection import PostgresConnection
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import first_id_at, unix_ms_of
from scoring.features import BoolArray, FloatArray, TransactionColumns
from scoring.model import sandbox
from scoring.prediction import ModelVersion
from scoring.transaction import TRANSACTION_TYPES

SELECTION_BIAS = (
    "Analysts look mostly at what was flagged: a fraud that was approved and that nobody reported"
    " counts as honest, so missed frauds are under-counted and lower thresholds look worse than"
    " they are."
)
"""Said wherever figures of these labels are shown."""
MATURITY_DAYS = 30.0
"""Most chargebacks have come in by then."""

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MaturedDecisions:
    """n decisions with their labels, newest first.

    Attributes:
        score: float64 (n,), calibrated probability as stored.
        threshold: float64 (n,), the policy's at the decision.
        amount: float64 (n,), money.
        is_fraud: bool (n,). labelled: bool (n,), an analyst said so; else presumed honest.
        decided_at: float64 (n,), Unix seconds.
        model: int64 (n,), index into `models`, the version that decided.
        truncated: there were more within the window than were looked at.
    """

    score: FloatArray
    threshold: FloatArray
    amount: FloatArray
    is_fraud: BoolArray
    labelled: BoolArray
    decided_at: FloatArray
    model: IntArray
    models: tuple[ModelVersion, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class MaturedPairs:
    """n transactions that two versions scored, one of which decided; newest first.

    Attributes:
        champion_score, challenger_score: float64 (n,), calibrated probabilities as stored.
        champion_review, challenger_review: bool (n,), flagged at the policy of the time.
        amount: float64 (n,), money.
        is_fraud, labelled, decided_at, truncated: as for MaturedDecisions.
    """

    champion_score: FloatArray
    champion_review: BoolArray
    challenger_score: FloatArray
    challenger_review: BoolArray
    amount: FloatArray
    is_fraud: BoolArray
    labelled: BoolArray
    decided_at: FloatArray
    truncated: bool


@dataclass(frozen=True, slots=True)
class MaturedTransactions:
    """n transactions with their labels, newest first, for a model to score anew.

    Attributes:
        transactions: columns of length n.
        is_fraud, labelled, decided_at, truncated: as for MaturedDecisions.
    """

    transactions: TransactionColumns
    is_fraud: BoolArray
    labelled: BoolArray
    decided_at: FloatArray
    truncated: bool


def read_matured(
    engine: Engine,
    tenant_id: int,
    *,
    maturity_days: float,
    window_days: float,
    limit: int,
    now: datetime,
) -> MaturedDecisions:
    """Return a tenant's mature decisions.

    Args:
        engine, tenant_id: whose.
        maturity_days: younger decisions are left out.
        window_days: how much older than that the oldest may be.
        limit: at most so many are looked at, the newest; what is escalated counts among them.
        now: an aware moment.

    Raises:
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        given = _span(tenant_id, maturity_days, window_days, now) | {"limit": limit}
        truncated = _cut(connection, NTH_PREDICTION, given)
        models = tuple(
            ModelVersion(name, version) for name, version in connection.execute(MODELS, given)
        )
        given |= {"names": [m.name for m in models], "versions": [m.version for m in models]}
        columns = _columns(connection, DECISIONS, given)
    score, threshold, amount, is_fraud, labelled, decided_at, model = columns
    return MaturedDecisions(
        score=score,
        threshold=threshold,
        amount=amount,
        is_fraud=is_fraud.astype(np.bool_),
        labelled=labelled.astype(np.bool_),
        decided_at=decided_at,
        model=model.astype(np.int64),
        models=models,
        truncated=truncated,
    )


def read_matured_pairs(
    engine: Engine,
    tenant_id: int,
    champion: ModelVersion,
    challenger: ModelVersion,
    *,
    maturity_days: float,
    window_days: float,
    limit: int,
    now: datetime,
) -> MaturedPairs:
    """Return what two versions said about the same mature transactions, whichever decided.

    Args:
        engine, tenant_id: whose.
        champion, challenger: one of them decided, the other scored in shadow.
        maturity_days, window_days, limit, now: as for `read_matured`; the limit counts what
            either of them scored in shadow.

    Raises:
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    pair = {
        "champion": champion.name,
        "champion_version": champion.version,
        "challenger": challenger.name,
        "challenger_version": challenger.version,
    }
    with tenant_transaction(engine, tenant_id) as connection:
        given = _span(tenant_id, maturity_days, window_days, now) | {"limit": limit} | pair
        truncated = _cut(connection, NTH_SHADOW, given)
        columns = _columns(connection, PAIRS, given)
    first, first_review, second, second_review, amount, is_fraud, labelled, decided_at = columns
    return MaturedPairs(
        champion_score=first,
        champion_review=first_review.astype(np.bool_),
        challenger_score=second,
        challenger_review=second_review.astype(np.bool_),
        amount=amount,
        is_fraud=is_fraud.astype(np.bool_),
        labelled=labelled.astype(np.bool_),
        decided_at=decided_at,
        truncated=truncated,
    )


def read_matured_transactions(
    engine: Engine,
    tenant_id: int,
    *,
    maturity_days: float,
    window_days: float,
    limit: int,
    now: datetime,
) -> MaturedTransactions:
    """Return a tenant's mature transactions; arguments and errors as for `read_matured`."""
    with tenant_transaction(engine, tenant_id) as connection:
        given = _span(tenant_id, maturity_days, window_days, now) | {"limit": limit}
        truncated = _cut(connection, NTH_PREDICTION, given)
        given |= {"types": list(TRANSACTION_TYPES)}
        columns = _columns(connection, TRANSACTIONS, given)
    *inputs, is_fraud, labelled, decided_at = columns
    return MaturedTransactions(
        transactions=TransactionColumns(*inputs),
        is_fraud=is_fraud.astype(np.bool_),
        labelled=labelled.astype(np.bool_),
        decided_at=decided_at,
        truncated=truncated,
    )


def _span(
    tenant_id: int, maturity_days: float, window_days: float, now: datetime
) -> dict[str, Any]:
    end = now - timedelta(days=maturity_days)
    start = _first_id(end - timedelta(days=window_days))
    return {
        "tenant_id": tenant_id,
        "start": start,
        "start_ms": start,
        "end": _first_id(end),
        "test": sandbox.MODEL.name,
    }


def _first_id(moment: datetime) -> UUID:
    return first_id_at(max(0, int(moment.timestamp() * 1000)))


def _cut(connection: Connection, nth: TextClause, given: dict[str, Any]) -> bool:
    """Move the span's start to the last row within the limit; return whether that left any out.

    What follows then is a range without a LIMIT, which Postgres joins by hashing.
    """
    ids = connection.execute(nth, given).scalars().all()
    if ids:
        given["start"] = ids[0]
        given["start_ms"] = first_id_at(unix_ms_of(ids[0]))
    return len(ids) > 1


def _columns(
    connection: Connection, statement: str, given: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return the columns of a statement that selects nothing but float8, float64 (k, n)."""
    # The driver's binary rows: 200,000 of eight columns take 0.2 s of CPU to fetch; as text and
    # through SQLAlchemy 0.85 s.
    driver = cast("PostgresConnection", connection.connection.driver_connection)
    driver.execute(JOIN_WHOLE)
    with driver.cursor(binary=True) as cursor:
        cursor.execute(statement, given)
        width = len(cursor.description or ())
        table = np.array(cursor.fetchall(), dtype=np.float64).reshape(-1, width)
    return np.ascontiguousarray(table.T)
