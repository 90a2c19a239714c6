"""Store labels of events.

The labels are one JSON document: psycopg needs 8 µs a label for an array a column, orjson 1 µs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from persistence.actor import Actor
from scoring.labels import CLOCK_SKEW, EventLabel, LabelSource, LabelValue

# LIMIT 1 keeps each part a look-up by index: without it the planner may join with whole tables.
# An event's own time is text as it was sent; Postgres has no offsets beyond 15:59. One that is
# ahead of the clock cannot have been later than its decision.
_RESOLVED = """
WITH own_times AS MATERIALIZED (
    SELECT y.id, e.key AS field FROM event_types y, json_each(y.document->'fields') e
    WHERE y.tenant_id = :tenant_id AND e.value->>'role' = 'time'
), resolved AS MATERIALIZED (
    SELECT given.*, coalesce(decision.transaction_id, existing.id) AS event,
        CASE WHEN own_time ~ '([Zz]|[+-](0[0-9]|1[0-5]):[0-9]{2})$'
            THEN least(CAST(own_time AS timestamptz), uuid_extract_timestamp(existing.id))
        END AS event_at
    FROM ROWS FROM (json_to_recordset(CAST(:labels AS json)) AS (
        external_id text, transaction_id uuid, label text, source text, occurred_at timestamptz,
        amount_lost float8, reversed boolean)) WITH ORDINALITY AS given
        (external_id, transaction_id, label, source, occurred_at, amount_lost, reversed, place)
    LEFT JOIN LATERAL (
        SELECT prediction_id FROM idempotency_keys
        WHERE tenant_id = :tenant_id AND key = given.external_id LIMIT 1
    ) AS claim ON true
    LEFT JOIN LATERAL (
        SELECT transaction_id FROM predictions
        WHERE tenant_id = :tenant_id AND id = claim.prediction_id LIMIT 1
    ) AS decision ON true
    LEFT JOIN LATERAL (
        SELECT id, fields->>(SELECT field FROM own_times WHERE own_times.id = event_type_id)
            AS own_time
        FROM transactions
        WHERE tenant_id = :tenant_id
            AND id = coalesce(decision.transaction_id, given.transaction_id) LIMIT 1
    ) AS existing ON true
)
"""
_IS_EARLY = "(occurred_at < event_at - CAST(:skew AS interval)) IS TRUE"
# In one order of the unique key: two requests with the same labels cannot wait for each other.
_STORE = text(
    f"""
    {_RESOLVED}, stored AS (
        INSERT INTO labels (tenant_id, transaction_id, label, source, reversed, occurred_at,
            amount_lost, actor)
        SELECT :tenant_id, event, label, source, reversed, occurred_at, amount_lost, :actor
        FROM resolved WHERE event IS NOT NULL AND NOT {_IS_EARLY}
        ORDER BY event, source, occurred_at, place
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT (SELECT count(*) FROM stored),
        ARRAY(SELECT place - 1 FROM resolved WHERE event IS NULL ORDER BY place),
        ARRAY(SELECT place - 1 FROM resolved WHERE {_IS_EARLY} ORDER BY place),
        ARRAY(SELECT event_at FROM resolved WHERE {_IS_EARLY} ORDER BY place)
    """  # noqa: S608 - constants of this file, here and below
)
_STORED = text(
    f"""
    {_RESOLVED}
    SELECT event, stored.* FROM resolved
    CROSS JOIN LATERAL (
        SELECT id, label, source, reversed, occurred_at, amount_lost, actor, created_at FROM labels
        WHERE tenant_id = :tenant_id AND transaction_id = resolved.event
            AND source = resolved.source AND occurred_at = resolved.occurred_at
            AND label = resolved.label AND reversed = resolved.reversed AND feedback_id IS NULL
        LIMIT 1
    ) AS stored
    ORDER BY place
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class NewLabel:
    """A label to be stored; its fields are those of the JSON document.

    Attributes:
        external_id, transaction_id: id of the event; the other one is None.
        label: what the event was: fraud or legitimate.
        source: kind of the reporter.
        occurred_at: time at which it became known, an aware datetime.
        amount_lost: money that was lost; None where it is not known.
        reversed: whether it withdraws the source's earlier label.
    """

    external_id: str | None
    transaction_id: UUID | None
    label: LabelValue
    source: LabelSource
    occurred_at: datetime
    amount_lost: float | None = None
    reversed: bool = False


class StoredLabels(NamedTuple):
    """What became of labels.

    Attributes:
        new: number of labels that were not stored before.
        unknown: places, from 0, of the labels whose event does not exist or is another tenant's.
        early: time of the event by the place of each label that became known before it.
    """

    new: int
    unknown: list[int]
    early: dict[int, datetime]


def store_labels(
    connection: Connection, tenant_id: int, labels: Sequence[NewLabel], actor: Actor
) -> StoredLabels:
    """Store the labels whose events exist and are not later; what is stored stays as it is.

    The time of an event is its own, and no later than its decision; without one, as PaySim's, it is
    not compared.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose events they are.
        labels: labels in the order in which they become effective where their times are equal.
        actor: who stores them.
    """
    given = _given(tenant_id, labels) | {"actor": actor.name, "skew": CLOCK_SKEW}
    new, unknown, early, times = connection.execute(_STORE, given).one()
    return StoredLabels(new, unknown, dict(zip(early, times, strict=True)))


def read_stored(
    connection: Connection, tenant_id: int, labels: Sequence[NewLabel]
) -> list[tuple[UUID, EventLabel]]:
    """Return labels that are stored, each with its transaction id, in the order of `labels`.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events they are.
        labels: labels of which `store_labels` knew every event.
    """
    rows = connection.execute(_STORED, _given(tenant_id, labels))
    return [(event, EventLabel(*columns)) for event, *columns in rows]


def _given(tenant_id: int, labels: Sequence[NewLabel]) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "labels": orjson.dumps(labels).decode()}
