"""The kinds of rows that are sealed, with the columns of each.

Rows that end once, such as the entries of a list, have a second leaf for their end. Tables whose
rows change otherwise, such as keys, are sealed by their audit log, and
`persistence/sealing/implied.py` compares the tables with it. A column that a sealed table gains is
a new form of its source, or one of `NOT_SEALED`; a test holds it.
"""

from __future__ import annotations

from persistence.sealing.source import Source

_ID = (("id", "bigint"),)
_NUMBER = (("id", "integer"),)

SOURCES: tuple[Source, ...] = (
    Source(
        kind="expiry",
        table="seal_expiries",
        key=_ID,
        own=("actor",),
        record=("id", "month", "retain_months", "at"),
        stamp="r.at",
    ),
    Source(
        kind="audit",
        table="audit_log",
        key=_ID,
        own=("before", "after", "object", "actor"),
        record=("id", "at", "action", "via"),
        stamp="r.at",
    ),
    Source(
        kind="event_type",
        table="event_types",
        key=_ID,
        own=("actor",),
        record=("id", "version", "document", "created_at"),
        as_text=("document",),
    ),
    Source(
        kind="policy",
        table="policies",
        key=_ID,
        own=("reason", "actor"),
        record=("id", "policy", "created_at"),
    ),
    Source(
        kind="approval",
        table="version_approvals",
        key=(
            *(("name", "text"), ("version", "integer")),
            *(("registered_ms", "bigint"), ("actor", "text")),
        ),
        own=("note", "actor"),
        record=("name", "version", "registered_ms", "at"),
        stamp="r.at",
    ),
    Source(
        kind="rule_change",
        table="rule_changes",
        key=(("id", "bigint"),),
        record=("id", "created_at"),
    ),
    Source(
        kind="rule",
        table="rules",
        key=(("id", "integer"), ("version", "integer")),
        order=(("change_id", "bigint"), ("id", "integer"), ("version", "integer")),
        own=("reason", "condition", "actor"),
        record=(
            *("id", "version", "name", "action", "state", "priority"),
            *("change_id", "created_at"),
        ),
    ),
    Source(
        kind="snooze",
        table="rule_snoozes",
        key=_NUMBER,
        own=("value", "reason", "actor"),
        record=("id", "rule_id", "entity", "until", "added_change", "created_at"),
    ),
    Source(
        kind="snooze_end",
        table="rule_snoozes",
        key=_NUMBER,
        order=(("ended_change", "bigint"), ("id", "integer")),
        record=("id", "ended_change"),
        stamp=None,
        where="r.ended_change IS NOT NULL",
    ),
    Source(
        kind="list",
        table="lists",
        key=_NUMBER,
        own=("actor",),
        record=("id", "name", "entity", "action", "fields", "added_change", "created_at"),
    ),
    Source(
        kind="list_end",
        table="lists",
        key=_NUMBER,
        order=(("removed_change", "bigint"), ("id", "integer")),
        record=("id", "removed_change"),
        stamp=None,
        where="r.removed_change IS NOT NULL",
    ),
    Source(
        kind="list_entry",
        table="list_entries",
        key=_ID,
        # The digest is made from the value alone, so it is withdrawn with it.
        own=("value", "digest", "reason", "actor"),
        record=("id", "list_id", "expires_at", "added_change", "created_at"),
    ),
    Source(
        kind="list_entry_end",
        table="list_entries",
        key=_ID,
        order=(("removed_change", "bigint"), ("id", "bigint")),
        record=("id", "removed_change"),
        stamp=None,
        where="r.removed_change IS NOT NULL",
    ),
    Source(
        kind="decision",
        table="predictions",
        key=(("id", "uuid"),),
        stamp="coalesce(r.drained_at, r.created_at)",
        joined="JOIN transactions t ON t.tenant_id = r.tenant_id AND t.id = r.transaction_id",
        own=("t.external_id", "t.name_orig", "t.name_dest", "ruling"),
        split="t.fields",
        record=(
            *("id", "transaction_id", "model_name", "model_version", "score", "margin"),
            *("base_value", "raw_probability", "threshold", "decline_threshold", "policy_id"),
            *("risk_band", "decision", "approval_probability", "features", "contributions"),
            *("feature_values", "contribution_values", "latency_ms", "unread_windows"),
            *("drained_at", "created_at", "t.step", "t.type", "t.amount", "t.oldbalance_org"),
            *("t.oldbalance_dest", "t.event_type_id", "t.created_at"),
        ),
    ),
    Source(
        kind="feedback",
        table="feedback",
        key=_ID,
        of_transaction=True,
        own=("rationale", "actor"),
        record=("id", "transaction_id", "label", "created_at"),
    ),
    Source(
        kind="label",
        table="labels",
        key=_ID,
        of_transaction=True,
        own=("actor",),
        record=(
            *("id", "transaction_id", "label", "source", "reversed", "occurred_at"),
            *("amount_lost", "feedback_id", "created_at"),
        ),
    ),
)
"""In the order in which a pass seals them. Expiries come first: a decision that is stored after its
month was dropped has a later leaf than the statement, so it is no part of what should be gone."""

NOT_SEALED = {
    "predictions": {"reviewed"},
}
"""Columns of sealed tables that may change, or that only follow from others."""

BY_FORM = {(source.kind, source.form): source for source in SOURCES}
"""Source by kind and form."""
