"""The latest activity of every live tenant, at a cost that does not grow with the decision log.

Every value is the end of a range of an index; a test counts the rows that are read. A tenant
without a decision for RECENT has left; its partitions are not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from persistence.uuid7 import first_id_at

RECENT = timedelta(days=35)
"""Age of the oldest decision that is looked for; longer than a month, so that a payment run once a
month counts as activity."""

# `until` excludes ids of a process whose clock is ahead: they would hide every later decision. The
# worklist is read as the review API reads it, a band a time and in the order of the index;
# otherwise Postgres may choose to read all decisions where none is waiting.
_ACTIVITY = text(
    """
    SELECT t.slug,
        (SELECT uuid_extract_timestamp(p.id) FROM predictions p
            WHERE p.tenant_id = t.id AND p.id >= :since AND p.id < :until
            ORDER BY p.id DESC LIMIT 1) AS decided_at,
        (SELECT f.created_at FROM feedback f
            WHERE f.tenant_id = t.id ORDER BY f.id DESC LIMIT 1) AS reviewed_at,
        EXISTS ((SELECT FROM predictions p
                WHERE p.tenant_id = t.id AND p.reviewed = false AND p.risk_band = 'high'
                    AND p.decision = 'review' AND p.id >= :since
                ORDER BY p.score DESC, p.id DESC LIMIT 1)
            UNION ALL (SELECT FROM predictions p
                WHERE p.tenant_id = t.id AND p.reviewed = false AND p.risk_band = 'medium'
                    AND p.decision = 'review' AND p.id >= :since
                ORDER BY p.score DESC, p.id DESC LIMIT 1)
            UNION ALL (SELECT FROM predictions p
                WHERE p.tenant_id = t.id AND p.reviewed = false AND p.risk_band = 'low'
                    AND p.decision = 'review' AND p.id >= :since
                ORDER BY p.score DESC, p.id DESC LIMIT 1)) AS is_waiting,
        (SELECT max(k.last_used_at) FROM api_keys k
            WHERE k.tenant_id = t.id AND 'score' = ANY (k.scopes)) AS called_at,
        (SELECT min(k.expires_at) FROM api_keys k
            WHERE k.tenant_id = t.id AND k.revoked_at IS NULL
                AND k.expires_at > now() - interval '3 days'
                AND k.last_used_at > least(k.expires_at, now()) - interval '7 days'
                AND NOT EXISTS (SELECT FROM api_keys successor
                    WHERE successor.tenant_id = k.tenant_id AND successor.id > k.id
                        AND successor.revoked_at IS NULL AND successor.scopes @> k.scopes
                        AND coalesce(successor.expires_at, 'infinity') > k.expires_at
                        AND successor.last_used_at > k.last_used_at + interval '1 hour')
            ) AS key_expires_at
    FROM tenants t WHERE NOT t.is_test ORDER BY t.slug
    """
)


@dataclass(frozen=True, slots=True)
class TenantActivity:
    """The latest activity of a tenant that is not in test mode.

    Attributes:
        slug: slug of the tenant.
        decided_at: time of its newest decision of the last RECENT; None where there is none.
        reviewed_at: time of its newest feedback; None where there is none.
        is_waiting: whether a decision of the last RECENT waits for an analyst.
        called_at: time at which a key that may score was last used, to the minute; None: never.
        key_expires_at: earliest expiry of the keys that are in use; a key is in use that was used
            in the 7 days before now, or before its expiry where that is at most 3 days ago, and
            that no newer key with its scopes has replaced. None where no such key expires.
    """

    slug: str
    decided_at: datetime | None
    reviewed_at: datetime | None
    is_waiting: bool
    called_at: datetime | None
    key_expires_at: datetime | None


def tenant_activity(connection: Connection, now: datetime) -> list[TenantActivity]:
    """Return the latest activity of every live tenant, by slug.

    Args:
        connection: connection inside a transaction that sees the rows of all tenants.
        now: current time of the database.
    """
    since, until = (first_id_at(_unix_ms(moment)) for moment in (now - RECENT, now))
    rows = connection.execute(_ACTIVITY, {"since": since, "until": until})
    return [TenantActivity(*row) for row in rows]


def _unix_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
