"""Shadow scores: those of the model that did not decide, stored batch by batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine

from persistence.decisions.insert_sql import SET_TENANTS
from persistence.raw_connection import driver_connection, implicit_transaction
from persistence.tenancy import joined
from scoring.errors import NotStorable
from scoring.policy import Outcome
from scoring.prediction import ModelVersion

logger = logging.getLogger("sentinel.shadow")


@dataclass(frozen=True, slots=True)
class ShadowScore:
    """A model's score of a stored prediction's transaction, which another model decided.

    Attributes:
        tenant_id: tenant that sent the transaction.
        prediction_id: UUIDv7 of the stored prediction.
        model: version that did not decide.
        margin: log-odds before calibration.
        score: calibrated probability of fraud.
        threshold: threshold of the policy at scoring.
        decision: decision that the score implies at the threshold.
    """

    tenant_id: int
    prediction_id: UUID
    model: ModelVersion
    margin: float
    score: float
    threshold: float
    decision: Outcome


_INPUT: tuple[tuple[str, str, Callable[[ShadowScore], Any]], ...] = (
    ("tenant_id", "bigint", lambda s: s.tenant_id),
    ("prediction_id", "uuid", lambda s: s.prediction_id),
    ("model_name", "text", lambda s: s.model.name),
    ("model_version", "integer", lambda s: s.model.version),
    ("margin", "float8", lambda s: s.margin),
    ("score", "float8", lambda s: s.score),
    ("threshold", "float8", lambda s: s.threshold),
    ("decision", "text", lambda s: s.decision),
)
_NAMES = ", ".join(name for name, _, _ in _INPUT)
_UNNEST = ", ".join(f"%b::{kind}[]" for _, kind, _ in _INPUT)
_INSERT = f"""
INSERT INTO shadow_scores ({_NAMES})
SELECT {_NAMES} FROM unnest({_UNNEST}) AS given ({_NAMES})
ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants of this file


class ShadowLog:
    """Writes shadow scores; safe to call from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, batch: Sequence[ShadowScore]) -> None:
        """Store scores of one or many tenants in one round trip; skip those already stored.

        Raises:
            NotStorable: Postgres refuses a row; nothing is stored.
            StoreUnavailable: Postgres did not confirm the commit.
        """
        columns = [[value(score) for score in batch] for _, _, value in _INPUT]
        try:
            with (
                driver_connection(self._engine) as connection,
                implicit_transaction(connection),
            ):
                tenants = joined({score.tenant_id for score in batch})
                connection.execute(SET_TENANTS, [tenants], prepare=True)
                connection.execute(_INSERT, columns, prepare=True)
        except psycopg.Error as error:
            logger.exception("Postgres refuses shadow scores")
            raise NotStorable("Postgres refuses the shadow scores; none was stored.") from error
