"""Stored decisions of events of a tenant's own event type."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.decisions.rows import Decided
from persistence.deployments.recording import record_promotions
from persistence.event_types import StoredEventType, apply_event_type
from persistence.labels.writer import NewLabel, store_labels
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant, create_tenant
from persistence.uuid7 import new_ids
from scoring.event import AnyEvent
from scoring.event_type.event import Event
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.labels import LabelSource, LabelValue
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from tests.support.event_types import NOW_US, an_event
from tests.support.factories import a_prediction
from tests.support.own_models import STATELESS, a_model_of, features_of

SOMEONE = Actor("someone", "tests")


def put_in_force(
    engine: Engine, tenant: Tenant, event_type: EventType, *, replace: bool = False
) -> StoredEventType:
    """Put an event type of a tenant in force."""
    with tenant_transaction(engine, tenant.id, actor=SOMEONE) as connection:
        stored, _ = apply_event_type(connection, tenant.id, event_type, SOMEONE, replace=replace)
    return stored


def own_model(event_type: EventType | None = None) -> FraudModel:
    """Return a model of card payments without windows, as version 1 of fraud-demo."""
    features = features_of(STATELESS, event_type)
    return a_model_of(features, version=ModelVersion("fraud-demo", 1)).as_served()


class CardTenant:
    """A tenant that sends card payments, with a recorded model of them.

    Args:
        engine: pool that acts as the tables' owner.
        event_type: event type in force.
        slug: slug of the tenant.
    """

    def __init__(self, engine: Engine, event_type: EventType, slug: str = "cards") -> None:
        self.tenant = create_tenant(engine, slug, f"fraud-{slug}")
        self.id = self.tenant.id
        self.stored = put_in_force(engine, self.tenant, event_type)
        self.model = own_model(event_type)
        record_promotions(engine, [self.id], self.model)
        self._validator = EventValidator(event_type, self.stored.id)

    def event(self, **values: object) -> Event:
        """Return a card payment; a value of None leaves its field out."""
        body = {name: value for name, value in an_event(**values).items() if value is not None}
        return self._validator.validate(body, NOW_US)

    def decided(self, **values: object) -> Decided:
        """Return a decision of a card payment by the tenant's model, not stored yet."""
        return self.decision_of([self.event(**values)])[0]

    def decision_of(self, events: Sequence[AnyEvent]) -> list[Decided]:
        """Return decisions of events by the tenant's model, not stored yet."""
        return [
            Decided(self.id, *ids, event, prediction, latency_ms=1.0)
            for ids, event, prediction in zip(
                new_ids(len(events)), events, self.model.predict(events), strict=True
            )
        ]


def decisions_of(tenant_id: int, events: Sequence[AnyEvent]) -> list[Decided]:
    """Return decisions of events, not stored yet, whose predictions are all the same."""
    return [
        Decided(tenant_id, *ids, event, a_prediction(), latency_ms=1.0)
        for ids, event in zip(new_ids(len(events)), events, strict=True)
    ]


def label(
    engine: Engine,
    tenant_id: int,
    transaction_id: UUID,
    value: LabelValue,
    occurred_at: datetime,
    *,
    source: LabelSource = "chargeback",
    is_reversal: bool = False,
) -> None:
    """Store a label of an event."""
    new = NewLabel(None, transaction_id, value, source, occurred_at, reversed=is_reversal)
    with tenant_transaction(engine, tenant_id, actor=SOMEONE) as connection:
        assert store_labels(connection, tenant_id, [new], SOMEONE).unknown == []
