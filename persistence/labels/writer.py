"""Store labels of events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from persistence.actor import Actor
from scoring.labels import EventLabel, LabelSource, LabelValue

# LIMIT 1 keeps each part a look-up by index: without it the planner may join with whole tables.
_OF_EXTERNAL_ID = text(
    """
    SELECT wanted.key, decision.transaction_id
    FROM unnest(CAST(:keys AS text[])) AS wanted (key)
    CROSS JOIN LATERAL (
        SELECT prediction_id FROM idempotency_keys
        WHERE tenant_id = :tenant_id AND key = wanted.key LIMIT 1
    ) AS claim
    CROSS JOIN LATERAL (
        SELECT transaction_id FROM predictions
        WHERE tenant_id = :tenant_id AND id = claim.prediction_id LIMIT 1
    ) AS decision
    """
)
_EXISTING = text(
    """
    SELECT wanted.id FROM unnest(CAST(:ids AS uuid[])) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT FROM transactions WHERE tenant_id = :tenant_id AND id = wanted.id LIMIT 1
    ) AS found
    """
)
_GIVEN = """
    unnest(CAST(:ids AS uuid[]), CAST(:labels AS text[]), CAST(:sources AS text[]),
        CAST(:reversals AS boolean[]), CAST(:times AS timestamptz[]), CAST(:amounts AS float8[]))
    WITH ORDINALITY AS given
        (transaction_id, label, source, reversed, occurred_at, amount_lost, place)
"""
# Rows of the unique key in one order: two requests with the same labels cannot wait for each other.
_INSERT = text(
    f"""
    INSERT INTO labels (tenant_id, transaction_id, label, source, reversed, occurred_at,
        amount_lost, actor)
    SELECT :tenant_id, transaction_id, label, source, reversed, occurred_at, amount_lost, :actor
    FROM {_GIVEN} ORDER BY transaction_id, source, occurred_at, place
    ON CONFLICT DO NOTHING
    """  # noqa: S608 - a constant of this file
)
_STORED = text(
    f"""
    SELECT stored.* FROM {_GIVEN}
    CROSS JOIN LATERAL (
        SELECT id, label, source, reversed, occurred_at, amount_lost, actor, created_at FROM labels
        WHERE tenant_id = :tenant_id AND transaction_id = given.transaction_id
            AND source = given.source AND occurred_at = given.occurred_at
            AND label = given.label AND reversed = given.reversed AND feedback_id IS NULL LIMIT 1
    ) AS stored
    ORDER BY given.place
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class NewLabel:
    """A label to be stored.

    Attributes:
        transaction_id: id of the event.
        label: what the event was: fraud or legitimate.
        source: kind of the reporter.
        occurred_at: time at which it became known, an aware datetime.
        amount_lost: money that was lost; None where it is not known.
        reversed: whether it withdraws the source's earlier label.
    """

    transaction_id: UUID
    label: LabelValue
    source: LabelSource
    occurred_at: datetime
    amount_lost: float | None = None
    reversed: bool = False


def find_events(
    connection: Connection, tenant_id: int, external_ids: Collection[str]
) -> dict[str, UUID]:
    """Return the transaction ids of events by `external_id`; unknown ones are left out.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events they are.
        external_ids: the tenant's own ids.
    """
    given = {"tenant_id": tenant_id, "keys": list(external_ids)}
    rows = connection.execute(_OF_EXTERNAL_ID, given).tuples().all() if external_ids else []
    return dict(rows)


def existing_events(
    connection: Connection, tenant_id: int, transaction_ids: Collection[UUID]
) -> set[UUID]:
    """Return those of the transaction ids that a tenant has; arguments as for `find_events`."""
    given = {"tenant_id": tenant_id, "ids": list(transaction_ids)}
    rows = connection.execute(_EXISTING, given).scalars() if transaction_ids else ()
    return set(rows)


def store_labels(
    connection: Connection, tenant_id: int, labels: Sequence[NewLabel], actor: Actor
) -> int:
    """Store labels of existing events; one that is stored already is not stored again.

    The transaction has found the events by `find_events` or `existing_events`, so that maintenance
    does not drop their month before it ends.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose events they are.
        labels: labels in the order in which they become effective where their times are equal.
        actor: who stores them.

    Returns:
        Number of labels that were not stored before.
    """
    given = {"tenant_id": tenant_id, "actor": actor.name, **_columns(labels)}
    return connection.execute(_INSERT, given).rowcount


def read_stored(
    connection: Connection, tenant_id: int, labels: Sequence[NewLabel]
) -> list[EventLabel]:
    """Return stored labels in the order of those that were stored; arguments as `store_labels`."""
    given = {"tenant_id": tenant_id, **_columns(labels)}
    return [EventLabel(*row) for row in connection.execute(_STORED, given)]


def _columns(labels: Sequence[NewLabel]) -> dict[str, list[object]]:
    return {
        "ids": [label.transaction_id for label in labels],
        "labels": [label.label for label in labels],
        "sources": [label.source for label in labels],
        "reversals": [label.reversed for label in labels],
        "times": [label.occurred_at for label in labels],
        "amounts": [label.amount_lost for label in labels],
    }
