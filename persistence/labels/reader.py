"""Read mature decisions with their labels, as columns.

A transaction's label is the one that counted at a time, `as_of` (`scoring.labels`): labels that
became known later do not exist yet. A transaction without one is presumed honest once its decision
is mature: chargebacks take weeks to arrive. One that is only escalated is not settled and left out.
Decisions that are not mature at that time are left out even where they have a label, since frauds
are reported first and would be over-represented. Where a policy approves would-be reviews at
random, decisions have weights (`scoring.evaluation.weights`).

Ids are UUIDv7, so a span of time is a range of ids: each table is read by its index, in the months
of the span. A transaction has its prediction's millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Cursor
from sqlalchemy import Connection, Engine, TextClause

from persistence.decisions.rows import EVENT_COLUMNS, event_from
from persistence.labels.sql import (
    DECISIONS,
    MODELS,
    NO_NESTED_LOOPS,
    NTH_PREDICTION,
    NTH_SHADOW,
    PAIRS,
    TRANSACTIONS,
)
from persistence.raw_connection import PostgresConnection
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import first_id_at, unix_ms_of
from scoring.columns import BoolArray, Columns, FloatArray
from scoring.counted import counted
from scoring.evaluation.weights import observation_weights
from scoring.event import all_columns, has_columns_of
from scoring.event_type.fields import EventType
from scoring.labels import SOURCES
from scoring.model import sandbox
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM

SELECTION_BIAS = (
    "Analysts review mostly flagged transactions: a fraud that was approved and never reported"
    " counts as honest, so missed frauds are under-counted and lower thresholds look worse than"
    " they are."
)
"""Caveat shown beside all figures that are computed from these labels."""
FEW_FRAUDS = 15
"""Fewer frauds among randomised approvals give intervals that are too short: decision 16."""
MATURITY_DAYS = 30.0
"""Age by which most chargebacks have arrived, days."""

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MaturedDecisions:
    """n decisions with their labels, newest first.

    Attributes:
        score: float64 (n,), calibrated probability as stored.
        threshold: float64 (n,), of the policy at the decision.
        amount: float64 (n,), money.
        is_fraud: bool (n,). labelled: bool (n,), by any source; else presumed honest.
        weights: float64 (n,), decisions that each stands for; 0: nobody knows what it was.
        decided_at: float64 (n,), Unix seconds.
        model: int64 (n,), index into `models` of the version that decided.
        models: versions of the tenant, by name and number.
        truncated: whether the window has more decisions than the limit.
    """

    score: FloatArray
    threshold: FloatArray
    amount: FloatArray
    is_fraud: BoolArray
    labelled: BoolArray
    decided_at: FloatArray
    model: IntArray
    models: tuple[ModelVersion, ...]
    weights: FloatArray
    truncated: bool


@dataclass(frozen=True, slots=True)
class MaturedPairs:
    """n transactions that two versions scored, one of which decided; newest first.

    Attributes:
        champion_score: float64 (n,), the champion's calibrated probability as stored.
        champion_review: bool (n,), whether the champion flagged at the policy of the time.
        challenger_score: float64 (n,), the challenger's calibrated probability as stored.
        challenger_review: bool (n,), whether the challenger flagged at the policy of the time.
        amount: float64 (n,), money.
        is_fraud, labelled, decided_at, weights, truncated: as for MaturedDecisions.
    """

    champion_score: FloatArray
    champion_review: BoolArray
    challenger_score: FloatArray
    challenger_review: BoolArray
    amount: FloatArray
    is_fraud: BoolArray
    labelled: BoolArray
    decided_at: FloatArray
    weights: FloatArray
    truncated: bool


@dataclass(frozen=True, slots=True)
class MaturedTransactions:
    """n events with their labels, newest first, for a model to score.

    Events of earlier versions of the event type are among them, unless they lack a field that is
    not optional now or have it as another kind.

    Attributes:
        event_type: event type of the events: the newest one's.
        columns: column by the name of each field that is not ignored, n rows each.
        time_us: microseconds since 1970, int64 (n,); None without a time.
        is_fraud, labelled, decided_at, weights, truncated: as for MaturedDecisions.
    """

    event_type: EventType
    columns: Columns
    time_us: IntArray | None
    is_fraud: BoolArray
    labelled: BoolArray
    decided_at: FloatArray
    weights: FloatArray
    truncated: bool


def read_matured(
    engine: Engine,
    tenant_id: int,
    *,
    maturity_days: float,
    window_days: float,
    limit: int,
    as_of: datetime,
) -> MaturedDecisions:
    """Return a tenant's mature decisions.

    Args:
        engine: pool that the connection is taken from.
        tenant_id: tenant whose decisions are read.
        maturity_days: least age of a decision, days.
        window_days: length of the span of decisions that ends at that age, days.
        limit: largest number of decisions, the newest; escalated ones count towards it.
        as_of: time at which labels were known and ages are reckoned, an aware datetime.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        parameters = span_of(tenant_id, maturity_days, window_days, as_of) | {"limit": limit}
        truncated = apply_limit(connection, NTH_PREDICTION, parameters)
        models = tuple(
            ModelVersion(name, version) for name, version in connection.execute(MODELS, parameters)
        )
        parameters |= {"names": [m.name for m in models], "versions": [m.version for m in models]}
        columns = _columns(connection, DECISIONS, parameters)
    score, threshold, amount, model, *labels = columns
    return MaturedDecisions(
        score=score,
        threshold=threshold,
        amount=amount,
        model=model.astype(np.int64),
        models=models,
        truncated=truncated,
        **label_columns(*labels),
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
    as_of: datetime,
) -> MaturedPairs:
    """Return two versions' scores of the same mature transactions, whichever decided.

    Args:
        engine: pool that the connection is taken from.
        tenant_id: tenant whose transactions are read.
        champion: version that decided a transaction or scored it in shadow.
        challenger: the other version of each pair.
        maturity_days, window_days, as_of: as for `read_matured`.
        limit: largest number of shadow scores of both versions, the newest.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    pair = {
        "champion": champion.name,
        "champion_version": champion.version,
        "challenger": challenger.name,
        "challenger_version": challenger.version,
    }
    with tenant_transaction(engine, tenant_id) as connection:
        parameters = span_of(tenant_id, maturity_days, window_days, as_of) | {"limit": limit} | pair
        truncated = apply_limit(connection, NTH_SHADOW, parameters)
        columns = _columns(connection, PAIRS, parameters)
    first, first_review, second, second_review, amount, *labels = columns
    return MaturedPairs(
        champion_score=first,
        champion_review=first_review.astype(np.bool_),
        challenger_score=second,
        challenger_review=second_review.astype(np.bool_),
        amount=amount,
        truncated=truncated,
        **label_columns(*labels),
    )


def read_matured_transactions(
    engine: Engine,
    tenant_id: int,
    *,
    maturity_days: float,
    window_days: float,
    limit: int,
    as_of: datetime,
) -> MaturedTransactions:
    """Return a tenant's mature transactions; arguments and errors as for `read_matured`."""
    with tenant_transaction(engine, tenant_id) as connection:
        parameters = span_of(tenant_id, maturity_days, window_days, as_of) | {"limit": limit}
        truncated = apply_limit(connection, NTH_PREDICTION, parameters)
        with range_cursor(connection) as cursor:
            rows = cursor.execute(TRANSACTIONS, parameters).fetchall()
    # The rows end with what `label_columns` takes.
    labels = label_columns(
        *(np.array([row[place] for row in rows], dtype=np.float64) for place in range(-5, 0))
    )
    events = [event_from(dict(zip(EVENT_COLUMNS, row, strict=False))) for row in rows]
    event_type = events[0].event_type if events else PAYSIM
    versions = {id(event.event_type): event.event_type for event in events}
    has_columns = {key: has_columns_of(one, event_type) for key, one in versions.items()}
    is_kept = np.array([has_columns[id(event.event_type)] for event in events], dtype=np.bool_)
    kept = [event for event, keeps in zip(events, is_kept, strict=True) if keeps]
    has_time = "time" in event_type.roles
    return MaturedTransactions(
        event_type=event_type,
        columns=all_columns(event_type, kept),
        time_us=np.array([e.time_us for e in kept], dtype=np.int64) if has_time else None,
        truncated=truncated,
        **{name: column[is_kept] for name, column in labels.items()},
    )


def label_columns(
    is_fraud: FloatArray,
    labelled: FloatArray,
    decided_at: FloatArray,
    approval_probability: FloatArray,
    approved: FloatArray,
) -> dict[str, Any]:
    """Return the columns that every study has, by name, from those that every statement ends in."""
    return {
        "is_fraud": is_fraud.astype(np.bool_),
        "labelled": labelled.astype(np.bool_),
        "decided_at": decided_at,
        "weights": observation_weights(
            approval_probability, approved.astype(np.bool_), labelled.astype(np.bool_)
        ),
    }


_APPROVED = (
    "payment that was approved at random stands",
    "payments that were approved at random stand",
)


def selection_bias(weights: FloatArray, is_fraud: BoolArray) -> str:
    """Return what the labels of a study cannot say, and what stands for what, in sentences.

    Args:
        weights: decisions that each decision stands for, float64 (n,).
        is_fraud: labels, bool (n,).
    """
    shown = weights > 1
    if not shown.any():
        return SELECTION_BIAS
    frauds = int(np.count_nonzero(shown & is_fraud))
    caution = "" if frauds >= FEW_FRAUDS else "; so few make every interval too short"
    return (
        f"{SELECTION_BIAS} {counted(int(np.count_nonzero(shown)), *_APPROVED)} for "
        f"{counted(int(np.count_nonzero(weights != 1)), 'would-be review')}; "
        f"{counted(frauds, 'of them is a fraud', 'of them are frauds')}"
        f"{caution}."
    )


def span_of(
    tenant_id: int, maturity_days: float, window_days: float, as_of: datetime
) -> dict[str, Any]:
    """Return the parameters of the statements that read mature decisions; see `read_matured`."""
    end = as_of - timedelta(days=maturity_days)
    start = _first_id(end - timedelta(days=window_days))
    return {
        "tenant_id": tenant_id,
        "start": start,
        "start_ms": start,
        "end": _first_id(end),
        "test": sandbox.MODEL.name,
        "as_of": as_of,
        "sources": list(SOURCES),
    }


def _first_id(moment: datetime) -> UUID:
    return first_id_at(max(0, int(moment.timestamp() * 1000)))


def apply_limit(connection: Connection, nth: TextClause, parameters: dict[str, Any]) -> bool:
    """Move the span's start to the last row within the limit; return whether rows are left out.

    The next statement then reads a range without LIMIT, which Postgres joins by hashing.
    """
    ids = connection.execute(nth, parameters).scalars().all()
    if ids:
        parameters["start"] = ids[0]
        parameters["start_ms"] = first_id_at(unix_ms_of(ids[0]))
    return len(ids) > 1


def _columns(
    connection: Connection, statement: str, parameters: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return the columns of a statement that selects only float8, as float64 (k, n)."""
    # Binary rows of the driver: 0.2 s of CPU for 200,000 rows of eight columns; text rows through
    # SQLAlchemy take 0.85 s.
    with range_cursor(connection) as cursor:
        cursor.execute(statement, parameters)
        width = len(cursor.description or ())
        table = np.array(cursor.fetchall(), dtype=np.float64).reshape(-1, width)
    return np.ascontiguousarray(table.T)


@contextmanager
def range_cursor(connection: Connection) -> Iterator[Cursor[Any]]:
    """Yield a cursor of the driver for a statement that joins whole ranges."""
    driver = cast("PostgresConnection", connection.connection.driver_connection)
    driver.execute(NO_NESTED_LOOPS)
    with driver.cursor(binary=True) as cursor:
        yield cursor
