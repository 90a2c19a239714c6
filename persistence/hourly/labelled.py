"""Count what labels and verdicts change: the state after further labels minus that before.

Labels are only ever added, with growing ids. So the state that an event had when the labels up to
an id were known can be told at any later time, and nothing has to be kept of a single event.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from persistence.hourly.counts import KINDS, Counts
from persistence.hourly.joins import without
from scoring.labels import SOURCES

LAST_LABEL = 2**63 - 1
"""Id after the last label."""

# `scoring.labels.effective_label`, once as of the labels up to :after and once up to :until. What
# `reviewed` says follows from the latest feedback (`persistence.review.worklist.add_feedback`).
# A transaction has the millisecond of its prediction, so that one month is read for each.
_CHANGES = text(
    """
    WITH touched AS MATERIALIZED (
        SELECT DISTINCT transaction_id FROM labels
        WHERE tenant_id = :tenant_id AND id > :after AND id <= :until
    ), known AS MATERIALIZED (
        SELECT side.sign, l.id, l.transaction_id, l.source, l.occurred_at, l.label, l.reversed,
            l.feedback_id
        FROM touched JOIN labels l
            ON l.tenant_id = :tenant_id AND l.transaction_id = touched.transaction_id
        JOIN (VALUES (-1, CAST(:after AS bigint)), (1, CAST(:until AS bigint)))
            AS side (sign, last) ON l.id <= side.last
    ), latest AS (
        SELECT DISTINCT ON (sign, transaction_id, source) * FROM known
        ORDER BY sign, transaction_id, source, occurred_at DESC, id DESC
    ), effective AS (
        SELECT DISTINCT ON (sign, transaction_id) sign, transaction_id, label FROM latest
        WHERE NOT reversed
        ORDER BY sign, transaction_id, label = 'escalated',
            array_position(CAST(:sources AS text[]), source)
    ), verdict AS (
        SELECT DISTINCT ON (sign, transaction_id) sign, transaction_id, label FROM known
        WHERE feedback_id IS NOT NULL ORDER BY sign, transaction_id, feedback_id DESC
    ), state AS (
        SELECT sign, transaction_id, label = 'fraud' AS fraud, label = 'legitimate' AS honest,
            false AS settled
        FROM effective
        UNION ALL
        SELECT sign, transaction_id, false, false, label <> 'escalated' FROM verdict
    )
    SELECT date_trunc('hour', uuid_extract_timestamp(p.id)) AS hour,
        array_position(CAST(:kinds AS text[]), p.decision || '/' || p.risk_band) - 1 AS kind,
        sum(sign) FILTER (WHERE fraud) AS frauds,
        sum(sign * t.amount) FILTER (WHERE fraud) AS fraud_amount,
        sum(sign) FILTER (WHERE honest) AS honest,
        sum(sign) FILTER (WHERE settled) AS settled,
        sum(sign * t.amount) FILTER (WHERE settled) AS settled_amount
    FROM state
    JOIN transactions t ON t.tenant_id = :tenant_id AND t.id = state.transaction_id
    JOIN predictions p ON p.tenant_id = :tenant_id AND p.transaction_id = state.transaction_id
        AND p.id >= CAST(left(state.transaction_id::text, 13) || '-0000-0000-000000000000' AS uuid)
        AND p.id <= CAST(left(state.transaction_id::text, 13) || '-ffff-ffff-ffffffffffff' AS uuid)
    GROUP BY 1, 2
    """
)


def count_changes(
    connection: Connection, tenant_id: int, after: int, until: int = LAST_LABEL
) -> dict[datetime, Counts]:
    """Return what labels change in the counts of the hours, which may be negative.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose labels are read.
        after: id of the last label that is counted already.
        until: id of the last label that is to be counted.
    """
    values = {
        "tenant_id": tenant_id,
        "after": after,
        "until": until,
        "sources": list(SOURCES),
        "kinds": [f"{outcome}/{band}" for outcome, band in KINDS],
    }
    found: dict[datetime, Counts] = {}
    # Few events, each found by the indexes of its own rows.
    with without(connection, "hashjoin", "mergejoin"):
        rows = connection.execute(_CHANGES, values).all()
    for row in rows:
        counts = found.setdefault(row.hour, Counts())
        counts.frauds[row.kind] = row.frauds or 0
        counts.fraud_amounts[row.kind] = row.fraud_amount or 0.0
        counts.honest[row.kind] = row.honest or 0
        counts.settled[row.kind] = row.settled or 0
        counts.settled_amounts[row.kind] = row.settled_amount or 0.0
    return found
