"""The decision log: a batch of decisions in one statement, and one decision read back.

The statement is written by hand for psycopg: one `INSERT ... SELECT FROM unnest(...)` a table in
one round trip, whatever the batch's size, prepared once a connection. Rows whose `external_id` was
claimed before are left out of it and answered from what is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import Engine, select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from persistence.database import transaction
from persistence.tables import PredictionRow, TransactionRow
from scoring.errors import (
    FieldError,
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    SentinelError,
    StoreUnavailable,
)
from scoring.features import FEATURE_NAMES
from scoring.prediction import ModelVersion, Prediction
from scoring.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about to be stored, or read back.

    Attributes:
        tenant_id: whose it is.
        transaction_id, prediction_id: UUIDv7.
        latency_ms: from the request's arrival until the row is handed to Postgres.
        decided_at: when Postgres stored it; None before.
    """

    tenant_id: int
    transaction_id: UUID
    prediction_id: UUID
    transaction: Transaction
    prediction: Prediction
    latency_ms: float
    decided_at: datetime | None = None


def body_digest(t: Transaction) -> bytes:
    """Return SHA-256 of the transaction's canonical form, without its `external_id`; 32 bytes."""
    canonical = (
        t.step,
        t.type,
        t.amount,
        t.name_orig,
        t.oldbalance_org,
        t.name_dest,
        t.oldbalance_dest,
    )
    return hashlib.sha256(orjson.dumps(canonical)).digest()


# name, Postgres type, value of one decision
_INPUT: tuple[tuple[str, str, Any], ...] = (
    ("tenant_id", "bigint", lambda d: d.tenant_id),
    ("transaction_id", "uuid", lambda d: d.transaction_id),
    ("prediction_id", "uuid", lambda d: d.prediction_id),
    ("external_id", "text", lambda d: d.transaction.external_id),
    (
        "body_digest",
        "bytea",
        lambda d: None if d.transaction.external_id is None else body_digest(d.transaction),
    ),
    ("step", "integer", lambda d: d.transaction.step),
    ("type", "text", lambda d: d.transaction.type),
    ("amount", "float8", lambda d: d.transaction.amount),
    ("name_orig", "text", lambda d: d.transaction.name_orig),
    ("oldbalance_org", "float8", lambda d: d.transaction.oldbalance_org),
    ("name_dest", "text", lambda d: d.transaction.name_dest),
    ("oldbalance_dest", "float8", lambda d: d.transaction.oldbalance_dest),
    ("model_name", "text", lambda d: d.prediction.model.name),
    ("model_version", "integer", lambda d: d.prediction.model.version),
    ("score", "float8", lambda d: d.prediction.score),
    ("margin", "float8", lambda d: d.prediction.margin),
    ("base_value", "float8", lambda d: d.prediction.base_value),
    ("raw_probability", "float8", lambda d: d.prediction.raw_probability),
    ("threshold", "float8", lambda d: d.prediction.threshold),
    ("risk_band", "text", lambda d: d.prediction.risk_band),
    ("decision", "text", lambda d: d.prediction.decision),
    ("features", "jsonb", lambda d: _named(d.prediction.features)),
    ("contributions", "jsonb", lambda d: _named(d.prediction.contributions)),
    ("latency_ms", "float8", lambda d: d.latency_ms),
)


def _named(values: Sequence[float]) -> str:
    return orjson.dumps(dict(zip(FEATURE_NAMES, values, strict=True))).decode()


_TRANSACTION_COLUMNS = (
    "external_id, step, type, amount, name_orig, oldbalance_org, name_dest, oldbalance_dest"
)
_PREDICTION_COLUMNS = (
    "transaction_id, model_name, model_version, score, margin, base_value, raw_probability,"
    " threshold, risk_band, decision, features, contributions, latency_ms"
)
_UNNEST = ", ".join(f"%s::{'text' if kind == 'jsonb' else kind}[]" for _, kind, _ in _INPUT)
_SELECTED = ", ".join(f"{name}::jsonb" if kind == "jsonb" else name for name, kind, _ in _INPUT)
_NAMES = ", ".join(name for name, _, _ in _INPUT)

# The names and types above are constants of this file; every value is a parameter.
_INSERT = f"""
WITH given AS MATERIALIZED (
    SELECT {_SELECTED} FROM unnest({_UNNEST}) AS given ({_NAMES})
), claimed AS (
    INSERT INTO idempotency_keys (tenant_id, key, body_digest, prediction_id)
    SELECT tenant_id, external_id, body_digest, prediction_id
    FROM given WHERE external_id IS NOT NULL
    ON CONFLICT (tenant_id, key) DO NOTHING
    RETURNING prediction_id
), fresh AS MATERIALIZED (
    SELECT * FROM given
    WHERE external_id IS NULL OR prediction_id IN (SELECT prediction_id FROM claimed)
), stored_transactions AS (
    INSERT INTO transactions (tenant_id, id, {_TRANSACTION_COLUMNS})
    SELECT tenant_id, transaction_id, {_TRANSACTION_COLUMNS} FROM fresh
), stored_predictions AS (
    INSERT INTO predictions (tenant_id, id, {_PREDICTION_COLUMNS})
    SELECT tenant_id, prediction_id, {_PREDICTION_COLUMNS} FROM fresh
    RETURNING id
)
SELECT id FROM stored_predictions
"""  # noqa: S608

# In READ COMMITTED a new statement sees what the conflicting transaction committed.
_REPLAY = f"""
SELECT k.tenant_id, k.key, k.body_digest, p.id, p.created_at,
    p.{_PREDICTION_COLUMNS.replace(", ", ", p.")}, t.{_TRANSACTION_COLUMNS.replace(", ", ", t.")}
FROM unnest(%s::bigint[], %s::text[]) AS asked (tenant_id, key)
JOIN idempotency_keys k ON (k.tenant_id, k.key) = (asked.tenant_id, asked.key)
JOIN predictions p ON (p.tenant_id, p.id) = (k.tenant_id, k.prediction_id)
JOIN transactions t ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id)
"""  # noqa: S608


class DecisionLog:
    """Writes batches of decisions, each batch in one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, batch: Sequence[Decided]) -> list[Decided | SentinelError]:
        """Store a batch of decisions of one or many tenants.

        Returns:
            For each, in order: the same decision, now stored; or the decision stored earlier under
            the same `external_id` and body; or IdempotencyMismatch, where the body was another.

        Raises:
            StoreUnavailable: Postgres did not commit; nothing is stored.
        """
        with self._cursor() as cursor:
            return self._insert(cursor, batch)

    def write_whole(self, batch: Sequence[Decided]) -> list[Decided]:
        """Store a batch whole or not at all.

        Returns:
            As `write`.

        Raises:
            InvalidRequest: an `external_id` was used before with another body; names each row.
            StoreUnavailable: Postgres did not commit. Nothing is stored in either case.
        """
        with self._cursor() as cursor:
            outcomes = self._insert(cursor, batch)
            errors = tuple(
                FieldError(f"transactions.{i}.external_id", "was used with another transaction")
                for i, outcome in enumerate(outcomes)
                if isinstance(outcome, SentinelError)
            )
            if errors:
                raise InvalidRequest("Nothing was stored: an external_id is taken.", errors=errors)
            return [outcome for outcome in outcomes if isinstance(outcome, Decided)]

    @contextmanager
    def _cursor(self) -> Iterator[psycopg.Cursor[Any]]:
        """A cursor in a transaction of its own: committed when the block ends well."""
        try:
            pooled = self._engine.raw_connection()
        except (psycopg.Error, PoolTimeoutError) as error:
            raise StoreUnavailable("Postgres cannot be reached; nothing was decided.") from error
        connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
        try:
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except psycopg.OperationalError as error:
            pooled.invalidate()
            # Its neighbours in the pool were cut off with it; the next batch connects anew.
            self._engine.dispose()
            raise StoreUnavailable("Postgres broke off; nothing was decided.") from error
        finally:
            pooled.close()

    def _insert(
        self, cursor: psycopg.Cursor[Any], batch: Sequence[Decided]
    ) -> list[Decided | SentinelError]:
        columns = [[value(decided) for decided in batch] for _, _, value in _INPUT]
        cursor.execute(_INSERT, columns, prepare=True)
        stored = {row[0] for row in cursor}
        repeated = [d for d in batch if d.prediction_id not in stored]
        earlier = self._read_earlier(cursor, repeated) if repeated else {}
        return [d if d.prediction_id in stored else _replay(d, earlier) for d in batch]

    @staticmethod
    def _read_earlier(
        cursor: psycopg.Cursor[Any], repeated: Sequence[Decided]
    ) -> dict[tuple[int, str], tuple[bytes, Decided]]:
        asked = (
            [d.tenant_id for d in repeated],
            [d.transaction.external_id for d in repeated],
        )
        cursor.execute(_REPLAY, asked)
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return {(r["tenant_id"], r["key"]): (r["body_digest"], _decided(r)) for r in rows}


def _replay(
    decided: Decided, earlier: dict[tuple[int, str], tuple[bytes, Decided]]
) -> Decided | SentinelError:
    external_id = decided.transaction.external_id or ""
    digest, stored = earlier[decided.tenant_id, external_id]
    if digest == body_digest(decided.transaction):
        return stored
    return IdempotencyMismatch(
        f"external_id {external_id!r} was used before with another transaction."
    )


def _decided(row: dict[str, Any]) -> Decided:
    return Decided(
        tenant_id=row["tenant_id"],
        transaction_id=row["transaction_id"],
        prediction_id=row["id"],
        transaction=Transaction(
            step=row["step"],
            type=row["type"],
            amount=row["amount"],
            name_orig=row["name_orig"],
            oldbalance_org=row["oldbalance_org"],
            name_dest=row["name_dest"],
            oldbalance_dest=row["oldbalance_dest"],
            external_id=row["external_id"],
        ),
        prediction=Prediction(
            score=row["score"],
            margin=row["margin"],
            base_value=row["base_value"],
            raw_probability=row["raw_probability"],
            risk_band=row["risk_band"],
            decision=row["decision"],
            threshold=row["threshold"],
            features=[float(row["features"][name]) for name in FEATURE_NAMES],
            contributions=[float(row["contributions"][name]) for name in FEATURE_NAMES],
            model=ModelVersion(row["model_name"], row["model_version"]),
        ),
        latency_ms=row["latency_ms"],
        decided_at=row["created_at"],
    )


def read_decision(engine: Engine, tenant_id: int, prediction_id: UUID) -> Decided:
    """Return one stored decision of a tenant.

    Raises:
        NotFound: there is none with that id, or it is another tenant's.
    """
    statement = (
        select(*(c for c in PredictionRow.__table__.c), *_transaction_columns())
        .join(
            TransactionRow,
            (TransactionRow.tenant_id == PredictionRow.tenant_id)
            & (TransactionRow.id == PredictionRow.transaction_id),
        )
        .where(PredictionRow.tenant_id == tenant_id, PredictionRow.id == prediction_id)
    )
    with transaction(engine) as connection:
        row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no prediction {prediction_id}.")
    return _decided(dict(row))


def _transaction_columns() -> list[Any]:
    names = _TRANSACTION_COLUMNS.split(", ")
    return [TransactionRow.__table__.c[name] for name in names]
