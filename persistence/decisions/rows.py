"""Decisions as rows: what is stored of one, and reading one back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import nan
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import (
    ColumnElement,
    Engine,
    Label,
    ScalarSelect,
    Text,
    cast,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from persistence.access_log import TRANSACTION_READ, log_access, transaction_object
from persistence.actor import Actor
from persistence.tables.decisions import PredictionRow, TransactionRow
from persistence.tables.deployments import ModelVersionRow
from persistence.tables.event_types import EventTypeRow
from persistence.tenancy import every_tenants_transaction, tenant_transaction
from persistence.uuid7 import unix_ms_of
from scoring.described_features import DescribedFeatures, described_features
from scoring.errors import NotFound
from scoring.event import AnyEvent
from scoring.event_type.document import from_document
from scoring.event_type.event import stored_event
from scoring.event_type.fields import EventType
from scoring.feature_set.model_features import model_features
from scoring.policy import Outcome
from scoring.prediction import ModelVersion, Prediction
from scoring.rules.ruling import Ruling, ruling_from
from scoring.transaction import WIRE_NAMES, Transaction

TRANSACTION_COLUMNS = ("external_id", *WIRE_NAMES, "event_type_id", "fields")
"""Columns of an event. PaySim's attributes have the names of their columns."""
EVENT_COLUMNS = (*TRANSACTION_COLUMNS, "event_type")
"""What `event_from` reads: an event's columns, and the text of its event type."""

_paysim_form = attrgetter(*WIRE_NAMES)


def canonical_form(event: AnyEvent) -> Any:  # noqa: ANN401 - JSON values
    """Return an event's canonical form: its values without `external_id`."""
    if isinstance(event, Transaction):
        return _paysim_form(event)
    return event.event_type.name, event.document()


class Decided(NamedTuple):
    """A decision to be stored, or read back; a tuple, as `Prediction` is.

    Attributes:
        tenant_id: tenant that sent the transaction.
        transaction_id: UUIDv7 of the transaction.
        prediction_id: UUIDv7 of the prediction.
        transaction: event that was scored.
        prediction: score, explanation and decision of the model.
        latency_ms: time from the request's arrival until the row is sent to Postgres.
        decided_at: time at which Postgres stored it, milliseconds after `moment`; None before.
        policy_id: id of the tenant's own policy that decided; None where the version's did.
        is_journalled: whether it is in the journal of this process and not in Postgres yet.
    """

    tenant_id: int
    transaction_id: UUID
    prediction_id: UUID
    transaction: AnyEvent
    prediction: Prediction
    latency_ms: float
    decided_at: datetime | None = None
    policy_id: int | None = None
    is_journalled: bool = False

    @property
    def moment(self) -> datetime:
        """Time of the decision, which its ids carry: figures and histories go by it."""
        return datetime.fromtimestamp(unix_ms_of(self.transaction_id) / 1000, UTC)


def body_digest(transaction: AnyEvent) -> bytes:
    """Return the SHA-256 of an event's canonical form, without `external_id`; 32 bytes."""
    return hashlib.sha256(orjson.dumps(canonical_form(transaction))).digest()


def decided_from(row: Mapping[str, Any]) -> Decided:
    """Return the decision of a row of predictions joined with its transaction.

    Args:
        row: columns by name. `described` has the text of the features of the version that decided,
            `event_type` the text of the event type of an event that is not PaySim's; `usual` may be
            among them, where reasons are made of the decision.
    """
    described, features, contributions = _explanation(row)
    return Decided(
        tenant_id=row["tenant_id"],
        transaction_id=row["transaction_id"],
        prediction_id=row["id"],
        transaction=event_from(row),
        prediction=Prediction(
            score=row["score"],
            margin=row["margin"],
            base_value=row["base_value"],
            raw_probability=row["raw_probability"],
            risk_band=row["risk_band"],
            decision=row["decision"],
            threshold=row["threshold"],
            features=features,
            contributions=contributions,
            model=ModelVersion(row["model_name"], row["model_version"], row.get("usual") or {}),
            described=described,
            approval_probability=row["approval_probability"],
            decline_threshold=row["decline_threshold"],
            ruling=_ruling(row),
            unread_windows=tuple(row.get("unread_windows") or ()),
        ),
        latency_ms=row["latency_ms"],
        decided_at=row["created_at"],
        policy_id=row["policy_id"],
    )


def _ruling(row: Mapping[str, Any]) -> Ruling | None:
    if row["ruling"] is None:
        return None
    # Chance approves what was a review.
    is_by_chance = row["approval_probability"] is not None
    outcome: Outcome = "review" if is_by_chance else row["decision"]
    return ruling_from(row["ruling"], outcome)


def _explanation(row: Mapping[str, Any]) -> tuple[DescribedFeatures, list[float], list[float]]:
    """Return the described features of a decision, their values and their contributions."""
    described = _described(row["described"])
    if row["feature_values"] is not None:
        return described, row["feature_values"], row["contribution_values"]
    features, contributions = row["features"], row["contributions"]
    described = described.of_names(features)
    return (
        described,
        [_number(features[name]) for name in described.names],
        [float(contributions[name]) for name in described.names],
    )


def _number(stored: float | None) -> float:
    """Return a stored feature; JSON has null where it is missing."""
    return nan if stored is None else float(stored)


def event_from(row: Mapping[str, Any]) -> AnyEvent:
    """Return the event of a row.

    Args:
        row: EVENT_COLUMNS by name.
    """
    type_id = row["event_type_id"]
    if type_id is None:
        attributes = {name: row[name] for name in WIRE_NAMES}
        return Transaction(**attributes, external_id=row["external_id"])
    event_type = _event_type(row["event_type"])
    return stored_event(event_type, type_id, row["fields"], row["external_id"])


@lru_cache(maxsize=1024)
def _event_type(document: str) -> EventType:
    return from_document(orjson.loads(document))


# A version's features never change, and its text is a cheaper key than its parsed document.
@lru_cache(maxsize=1024)
def _described(features: str) -> DescribedFeatures:
    return described_from(orjson.loads(features))


def described_from(document: Any) -> DescribedFeatures:  # noqa: ANN401 - JSON
    """Return the features of a row of `model_versions`, as people read them."""
    if isinstance(document, dict):
        return model_features(document).described
    return described_features(document)


def of_version() -> tuple[Label[Any], Label[Any]]:
    """Return `usual` and `described` of the version that made a prediction, for `decided_from`."""
    return (
        _of_version(ModelVersionRow.usual).label("usual"),
        _of_version(cast(ModelVersionRow.features, Text)).label("described"),
    )


def of_event_type() -> Label[Any]:
    """Return `event_type` of a transaction, for `decided_from`."""
    return (
        select(cast(EventTypeRow.document, Text))
        .where(
            EventTypeRow.tenant_id == TransactionRow.tenant_id,
            EventTypeRow.id == TransactionRow.event_type_id,
        )
        .scalar_subquery()
        .label("event_type")
    )


def _of_version(column: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ScalarSelect[Any]:
    return (
        select(column)
        .where(
            ModelVersionRow.tenant_id == PredictionRow.tenant_id,
            ModelVersionRow.name == PredictionRow.model_name,
            ModelVersionRow.version == PredictionRow.model_version,
        )
        .scalar_subquery()
    )


def find_decision(engine: Engine, prediction_id: UUID, reader: Actor) -> Decided:
    """Return one stored decision of any tenant, for an operator.

    Args:
        engine: pool whose role owns the tables.
        prediction_id: id of the prediction.
        reader: person that the access log names.

    Raises:
        NotFound: no prediction has that id.
    """
    with engine.connect() as connection, every_tenants_transaction(connection):
        statement = select(PredictionRow.tenant_id).where(PredictionRow.id == prediction_id)
        tenant_id = connection.execute(statement).scalar_one_or_none()
    if tenant_id is None:
        raise NotFound(f"There is no prediction {prediction_id}.")
    return read_decision(engine, tenant_id, prediction_id, reader=reader)


def read_decision(
    engine: Engine, tenant_id: int, prediction_id: UUID, *, reader: Actor | None = None
) -> Decided:
    """Return one stored decision of a tenant.

    Args:
        engine: pool whose role may read the tenant's rows.
        tenant_id: tenant whose decision it is.
        prediction_id: id of the prediction.
        reader: person or caller that the access log names; None: no entry.

    Raises:
        NotFound: the tenant has no prediction with that id.
    """
    statement = (
        select(
            *PredictionRow.__table__.c,
            *(TransactionRow.__table__.c[name] for name in TRANSACTION_COLUMNS),
            *of_version(),
            of_event_type(),
        )
        .join(
            TransactionRow,
            (TransactionRow.tenant_id == PredictionRow.tenant_id)
            & (TransactionRow.id == PredictionRow.transaction_id),
        )
        .where(PredictionRow.tenant_id == tenant_id, PredictionRow.id == prediction_id)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        row = connection.execute(statement).mappings().one_or_none()
        if row and reader:
            read = transaction_object(row["transaction_id"])
            log_access(connection, tenant_id, reader, TRANSACTION_READ, read)
    if row is None:
        raise NotFound(f"There is no prediction {prediction_id}.")
    return decided_from(dict(row))
