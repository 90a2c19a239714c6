"""What somebody sees who is about to open a case: its events, and cases that have them already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, exists, select

from persistence.cases.facts import CASE_COLUMNS, CaseFacts
from persistence.cases.links import find_ids
from persistence.review.cases import Case, read_cases
from persistence.tables.cases import CaseEventRow, CaseRow
from persistence.tenancy import tenant_transaction


@dataclass(frozen=True, slots=True)
class Opening:
    """What a case is about to begin with.

    Attributes:
        events: events that ids stand for, the newest first.
        unknown: ids that stand for no event of the tenant.
        having: open cases that have one of the events already, the newest first.
        others: further open cases, the newest first.
    """

    events: list[Case]
    unknown: list[str]
    having: list[CaseFacts]
    others: list[CaseFacts]


def read_opening(
    engine: Engine, tenant_id: int, given: Sequence[str], *, open_cases: int
) -> Opening:
    """Return what a case is about to begin with.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it will be.
        given: ids of events, as `find_ids` takes them.
        open_cases: most cases of each of the two lists.
    """
    newest = (
        select(*CASE_COLUMNS)
        .where(CaseRow.tenant_id == tenant_id, CaseRow.status == "open")
        .order_by(CaseRow.number.desc())
        .limit(open_cases)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        found = find_ids(connection, tenant_id, given) if given else {}
        ids = sorted(set(found.values()), reverse=True)
        has_one = exists().where(
            CaseEventRow.tenant_id == CaseRow.tenant_id,
            CaseEventRow.case_number == CaseRow.number,
            CaseEventRow.transaction_id.in_(ids),
        )
        having = [CaseFacts(*row) for row in connection.execute(newest.where(has_one))]
        others = [CaseFacts(*row) for row in connection.execute(newest)]
        numbers = {facts.number for facts in having}
        return Opening(
            read_cases(connection, tenant_id, ids),
            [one for one in given if one not in found],
            having,
            [facts for facts in others if facts.number not in numbers],
        )
