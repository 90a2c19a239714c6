"""What the file of a case has beside the decisions: verdicts, labels, and the names of deciders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select, tuple_

from persistence.labels.history import latest_labels
from persistence.review.cases import FEEDBACK_COLUMNS, Case, Feedback
from persistence.tables.review import FeedbackRow
from persistence.tables.rules import ListRow, RuleRow
from scoring.labels import EventLabel
from scoring.rules.rule import RuleKey

MAX_FEEDBACK = 5000
"""Verdicts of all events of a case that are read, the newest."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Verdicts and labels of a case's events, and names of what decided them.

    Attributes:
        feedback: verdicts by transaction, the newest first.
        labels: latest label of each source by transaction.
        rules: name of each rule version that fired, as it was then.
        lists: name of each list that an event matched.
    """

    feedback: Mapping[UUID, Sequence[Feedback]]
    labels: Mapping[UUID, Sequence[EventLabel]]
    rules: Mapping[RuleKey, str]
    lists: Mapping[int, str]


def read_evidence(connection: Connection, tenant_id: int, cases: Sequence[Case]) -> Evidence:
    """Return what the file of a case has beside the decisions.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose case it is.
        cases: transactions with their decisions.
    """
    ids = [case.decided.transaction_id for case in cases]
    rulings = [ruling for case in cases if (ruling := case.decided.prediction.ruling)]
    keys = {key for one in rulings for key in (*one.verdict.fired, *one.verdict.shadow)}
    keys |= {
        (by.id, by.version)
        for one in rulings
        if (by := one.verdict.decided_by).id is not None and by.version is not None
    }
    lists = {entry.list_id for one in rulings for entry in one.verdict.entries}
    return Evidence(
        _feedback(connection, tenant_id, ids),
        latest_labels(connection, tenant_id, ids) if ids else {},
        _rule_names(connection, tenant_id, keys),
        _list_names(connection, tenant_id, lists),
    )


def _feedback(
    connection: Connection, tenant_id: int, ids: Sequence[UUID]
) -> Mapping[UUID, Sequence[Feedback]]:
    found: defaultdict[UUID, list[Feedback]] = defaultdict(list)
    statement = (
        select(FeedbackRow.transaction_id, *FEEDBACK_COLUMNS)
        .where(FeedbackRow.tenant_id == tenant_id, FeedbackRow.transaction_id.in_(ids))
        .order_by(FeedbackRow.id.desc())
        .limit(MAX_FEEDBACK)
    )
    for transaction_id, *columns in connection.execute(statement):
        found[transaction_id].append(Feedback(*columns))
    return found


def _rule_names(
    connection: Connection, tenant_id: int, keys: set[RuleKey]
) -> Mapping[RuleKey, str]:
    statement = select(RuleRow.id, RuleRow.version, RuleRow.name).where(
        RuleRow.tenant_id == tenant_id, tuple_(RuleRow.id, RuleRow.version).in_(sorted(keys))
    )
    if not keys:
        return {}
    return {(id_, version): name for id_, version, name in connection.execute(statement)}


def _list_names(connection: Connection, tenant_id: int, ids: set[int]) -> Mapping[int, str]:
    statement = select(ListRow.id, ListRow.name).where(
        ListRow.tenant_id == tenant_id, ListRow.id.in_(ids)
    )
    return dict(connection.execute(statement).tuples().all()) if ids else {}
