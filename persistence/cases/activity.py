"""Who did what with a case: its changes in the audit log, and its exports in the access log."""

from __future__ import annotations

from itertools import takewhile

from sqlalchemy import Engine

from persistence.access_log import CASE_EXPORTED, case_object
from persistence.review.audit import AuditEntry, AuditFilter, read_accesses, read_changes

MAX_CHANGES_SINCE = 200
"""Changes after a version that are looked through, the newest."""


def read_activity(engine: Engine, tenant_id: int, number: int, *, limit: int) -> list[AuditEntry]:
    """Return the newest changes and exports of a case, newest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        limit: most entries.
    """
    object_ = case_object(number)
    changes = read_changes(engine, tenant_id, AuditFilter(object=object_), limit=limit)
    exported = AuditFilter(object=object_, action=CASE_EXPORTED)
    exports = read_accesses(engine, tenant_id, exported, limit=limit)
    # Changes of one transaction have one time, and are in the order of their numbers already.
    both = sorted(changes.entries + exports.entries, key=lambda entry: entry.at, reverse=True)
    return both[:limit]


def changes_since(engine: Engine, tenant_id: int, number: int, seen: int) -> list[AuditEntry]:
    """Return what was changed of a case after a version of it, newest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        seen: version of the case.
    """
    wanted = AuditFilter(object=case_object(number))
    changes = read_changes(engine, tenant_id, wanted, limit=MAX_CHANGES_SINCE)
    return list(takewhile(lambda entry: not _is_seen(entry, seen), changes.entries))


def _is_seen(entry: AuditEntry, seen: int) -> bool:
    version = (entry.after or {}).get("version")
    return version is not None and version <= seen
