"""Tables, one file a subject. Migrations create them; a test compares the two."""

from persistence.tables import (
    cases,
    decisions,
    deployments,
    drift,
    event_types,
    history,
    hourly,
    idempotency,
    labels,
    operations,
    people,
    review,
    rules,
    sealing,
    tenants,
    uploads,
)
from persistence.tables.base import Base

__all__ = [
    "Base",
    "cases",
    "decisions",
    "deployments",
    "drift",
    "event_types",
    "history",
    "hourly",
    "idempotency",
    "labels",
    "operations",
    "people",
    "review",
    "rules",
    "sealing",
    "tenants",
    "uploads",
]
