"""What the conditions of a tenant's rules may name, and the entities that its lists hold."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, Text, cast, select

from persistence.event_types import newest_event_type
from persistence.rules.changes import newest_change
from persistence.rules.in_force import lists_at
from persistence.tables.deployments import ModelVersionRow, ProductionVersionRow
from scoring.event_type.fields import EventType
from scoring.expressions import Schema
from scoring.expressions.nodes import ValueKind
from scoring.feature_set.model_features import ModelFeatures, model_features
from scoring.features import PAYSIM_FEATURES
from scoring.prediction import ModelVersion
from scoring.rules.condition import condition_schema, feature_kinds
from scoring.transaction import PAYSIM


def event_type_in_force(connection: Connection, tenant_id: int) -> EventType:
    """Return the event type that a tenant sends.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose event type is read.
    """
    stored = newest_event_type(connection, tenant_id)
    return stored.event_type if stored else PAYSIM


def names_of_conditions(connection: Connection, tenant_id: int) -> Schema:
    """Return what conditions may name: fields, lists, features of the version in production.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose rules they are.
    """
    event_type = event_type_in_force(connection, tenant_id)
    kinds = features_in_production(connection, tenant_id)
    lists = lists_at(connection, tenant_id, newest_change(connection, tenant_id))
    return condition_schema(event_type, kinds, lists)


def features_in_production(connection: Connection, tenant_id: int) -> dict[str, ValueKind]:
    """Return the kind of each feature of the version in production; none where none fits.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose version it is.
    """
    production = model_in_production(connection, tenant_id)
    event_type = event_type_in_force(connection, tenant_id)
    if production is None or production.features.misfit(event_type) is not None:
        return {}
    return feature_kinds(production.features)


@dataclass(frozen=True, slots=True)
class ProductionModel:
    """A model version in production.

    Attributes:
        version: name and number.
        features: its features.
    """

    version: ModelVersion
    features: ModelFeatures


def model_in_production(connection: Connection, tenant_id: int) -> ProductionModel | None:
    """Return a tenant's version in production; None where there is none.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose version it is.
    """
    statement = (
        select(ModelVersionRow.name, ModelVersionRow.version, cast(ModelVersionRow.features, Text))
        .join(
            ProductionVersionRow,
            (ProductionVersionRow.tenant_id == ModelVersionRow.tenant_id)
            & (ProductionVersionRow.name == ModelVersionRow.name)
            & (ProductionVersionRow.version == ModelVersionRow.version),
        )
        .where(ModelVersionRow.tenant_id == tenant_id)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    name, version, text = row
    document = orjson.loads(text)
    # A list is the names of PaySim's features, as releases without feature sets stored them.
    features = model_features(document) if isinstance(document, dict) else PAYSIM_FEATURES
    return ProductionModel(ModelVersion(name, version), features)
