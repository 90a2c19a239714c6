"""Compare tables whose rows may change with the newest entry of the audit log about each row.

The audit log is sealed, so a row that differs from it was changed past its triggers. What the log
does not have cannot be compared: the hash of a key, its secret, and when it was last used.

A key that the log does not have is a fault whatever its own time says: whoever puts it in sets that
as well. A key from before the audit log (migration 0002) is in it once it is renamed or revoked.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError

_KEYS = """
    SELECT 'key ' || k.prefix AS row, CASE WHEN e.after IS NULL
        THEN 'is in the table and not in the audit log' ELSE 'differs from the audit log' END
    FROM api_keys k LEFT JOIN LATERAL (
        SELECT a.after FROM audit_log a WHERE a.tenant_id = k.tenant_id
            AND a.object = 'keys/' || k.prefix AND a.action LIKE 'key.%'
        ORDER BY a.id DESC LIMIT 1
    ) AS e ON true
    WHERE k.tenant_id = :tenant_id AND (
        e.after IS NULL OR (
            coalesce(e.after->>'name', k.name), e.after->'scopes',
            (e.after->>'expires_at')::timestamptz, (e.after->>'revoked_at')::timestamptz
        ) IS DISTINCT FROM (k.name, to_jsonb(k.scopes), k.expires_at, k.revoked_at))
    UNION ALL
    SELECT 'key ' || substr(object, 6), 'is missing, and the audit log does not have its removal'
    FROM (
        SELECT DISTINCT ON (object) object, action FROM audit_log
        WHERE tenant_id = :tenant_id AND action LIKE 'key.%' ORDER BY object, id DESC
    ) AS last
    WHERE action <> 'key.removed' AND NOT EXISTS (
        SELECT FROM api_keys k WHERE k.tenant_id = :tenant_id AND 'keys/' || k.prefix = object)
"""
_PROPOSALS = """
    SELECT 'policy_proposal ' || p.id, 'differs from the audit log'
    FROM policy_proposals p LEFT JOIN LATERAL (
        SELECT a.after FROM audit_log a WHERE a.tenant_id = p.tenant_id AND a.object = 'policy'
            AND a.action LIKE 'policy_proposal.%' AND (a.after->>'id')::bigint = p.id
        ORDER BY a.id DESC LIMIT 1
    ) AS e ON true
    WHERE p.tenant_id = :tenant_id AND (
        nullif(e.after->'policy', 'null'), e.after->>'status', e.after->>'actor',
        e.after->>'decided_by', (e.after->>'policy_id')::bigint
    ) IS DISTINCT FROM (p.policy, p.status, p.actor, p.decided_by, p.policy_id)
"""
_TENANT = """
    SELECT 'tenant ' || t.slug, 'differs from the audit log'
    FROM tenants t CROSS JOIN LATERAL (
        SELECT a.after FROM audit_log a WHERE a.tenant_id = t.id
            AND a.object = 'tenants/' || t.slug AND a.action LIKE 'tenant.%'
        ORDER BY a.id DESC LIMIT 1
    ) AS e
    WHERE t.id = :tenant_id AND (
        e.after->>'model_name', coalesce((e.after->>'is_test')::boolean, t.is_test),
        coalesce((e.after->>'four_eyes')::boolean, t.four_eyes),
        coalesce((e.after->>'four_eyes_policy')::boolean, t.four_eyes_policy),
        coalesce((e.after->>'journal')::boolean, t.journal)
    ) IS DISTINCT FROM (t.model_name, t.is_test, t.four_eyes, t.four_eyes_policy, t.journal)
"""
_REVIEWED = """
    SELECT 'decision ' || min(p.id::text), 'is marked as reviewed, and no feedback settled it'
    FROM predictions p WHERE p.tenant_id = :tenant_id AND p.reviewed AND NOT coalesce((
        SELECT f.label <> 'escalated' FROM feedback f WHERE f.tenant_id = :tenant_id
            AND f.transaction_id = p.transaction_id ORDER BY f.id DESC LIMIT 1), false)
    HAVING count(*) > 0
    UNION ALL
    SELECT 'decision ' || min(p.id::text), 'is not marked as reviewed, and feedback settled it'
    FROM (
        SELECT DISTINCT ON (transaction_id) transaction_id, label FROM feedback
        WHERE tenant_id = :tenant_id ORDER BY transaction_id, id DESC
    ) AS f JOIN predictions p ON p.tenant_id = :tenant_id AND p.transaction_id = f.transaction_id
    WHERE f.label <> 'escalated' AND NOT p.reviewed
    HAVING count(*) > 0
"""


def implied_problems(connection: Connection, tenant_id: int) -> Iterator[tuple[str, str]]:
    """Yield each row that differs from what sealed rows imply, with what is wrong.

    Args:
        connection: connection of a transaction that sees the tenant's rows.
        tenant_id: tenant whose tables are compared.
    """
    for statement in (_KEYS, _PROPOSALS, _TENANT, _REVIEWED):
        try:
            with connection.begin_nested():
                found = connection.execute(text(statement), {"tenant_id": tenant_id}).tuples().all()
        except DataError as error:
            # Whoever puts in an entry can put in text that is no number or time.
            yield "the audit log", f"has an entry that cannot be read: {error.orig}".strip()
        else:
            yield from found
