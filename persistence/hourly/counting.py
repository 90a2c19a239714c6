"""Count the decisions of a span of time by hour, in one pass over their index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from persistence.hourly.counts import (
    KINDS,
    LATENCY_EDGES_MS,
    MAX_FIELDS,
    SCORE_EDGES,
    Category,
    CategoryCount,
    HourCounts,
)
from persistence.hourly.joins import without
from persistence.uuid7 import first_id_at
from scoring.event_type.fields import EventType

LAST_ID = UUID(int=2**128 - 1)
"""End of a span without an end."""

SPAN = """
    FROM predictions p JOIN transactions t ON t.tenant_id = p.tenant_id AND t.id = p.transaction_id
    WHERE p.tenant_id = :tenant_id AND p.id >= :start AND p.id < :end
        AND t.tenant_id = :tenant_id AND t.id >= :start AND t.id < :end
"""
"""SQL of the decisions of a span, as `p`, and their transactions, as `t`."""
_AMONG = " AND p.id = ANY(CAST(:ids AS uuid[]))"
_KIND = "array_position(CAST(:kinds AS text[]), p.decision || '/' || p.risk_band)"
_COUNT = f"""
    SELECT hour, kind, score, latency, count(*) AS decisions, coalesce(sum(amount), 0) AS amount
    FROM (
        SELECT date_trunc('hour', uuid_extract_timestamp(p.id)) AS hour, {_KIND} - 1 AS kind,
            width_bucket(p.score, CAST(:scores AS float8[])) AS score,
            width_bucket(p.latency_ms, CAST(:latencies AS float8[])) AS latency, t.amount
        {SPAN}%s
    ) AS decided
    GROUP BY GROUPING SETS ((hour, kind), (hour, score), (hour, latency))
    """  # noqa: S608 - constants of this file, here and below
_COUNT_CATEGORIES = f"""
    SELECT hour, field, value, count(*) AS decisions, count(*) FILTER (WHERE flagged) AS flagged,
        coalesce(sum(amount), 0) AS amount
    FROM (
        SELECT date_trunc('hour', uuid_extract_timestamp(p.id)) AS hour, t.fields, t.type,
            p.decision <> 'approve' AS flagged, t.amount
        {SPAN}%s
    ) AS decided
    CROSS JOIN unnest(CAST(:fields AS text[])) AS category (field)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN fields IS NOT NULL THEN fields ->> field
            WHEN field = 'type' THEN type END AS value
    ) AS of_field
    WHERE value IS NOT NULL
    GROUP BY 1, 2, 3 ORDER BY hour, decisions DESC, value
    """  # noqa: S608
_OF_SPAN = text(_COUNT % ""), text(_COUNT_CATEGORIES % "")
_OF_SOME = text(_COUNT % _AMONG), text(_COUNT_CATEGORIES % _AMONG)


def category_fields(event_type: EventType) -> list[str]:
    """Return the names of the category fields that are counted."""
    names = [name for name, one in event_type.kept.items() if one.kind == "category"]
    return names[:MAX_FIELDS]


def count_decisions(
    connection: Connection,
    tenant_id: int,
    fields: list[str],
    since: datetime | None,
    until: datetime | None,
    *,
    ids: Sequence[UUID] | None = None,
) -> HourCounts:
    """Count a tenant's decisions of a span of time, without their labels.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose decisions are counted.
        fields: names of the category fields that are counted.
        since: start of the span, inclusive, to the millisecond; None: there is none.
        until: end of the span, exclusive, likewise.
        ids: predictions of the span that are counted; None: all of them.
    """
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "start": first_id_of(since) if since else UUID(int=0),
        "end": first_id_of(until) if until else LAST_ID,
        "kinds": [f"{outcome}/{band}" for outcome, band in KINDS],
        "scores": list(SCORE_EDGES),
        "latencies": list(LATENCY_EDGES_MS),
        "fields": fields,
    }
    count, count_categories = _OF_SPAN
    if ids is not None:
        count, count_categories = _OF_SOME
        values["ids"] = list(ids)
    found = HourCounts()
    # Both sides of the join are ranges of the same decisions.
    with without(connection, "nestloop"):
        for hour, kind, score, latency, decisions, amount in connection.execute(count, values):
            counts = found.counts[hour]
            if kind is not None:
                counts.decisions[kind] = decisions
                counts.amounts[kind] = amount
            elif score is not None:
                counts.scores[score] = decisions
            else:
                counts.latencies[latency] = decisions
        if fields:
            for hour, field, value, *numbers in connection.execute(count_categories, values):
                category: Category = (field, value)
                found.categories[hour, category] = CategoryCount(*numbers)
    return found


def first_id_of(moment: datetime) -> UUID:
    """Return the least id of a moment, to the millisecond."""
    return first_id_at(max(0, round(moment.timestamp() * 1000)))
