"""Names of rules and lists by their numbers, as people know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, select

from persistence.tables.rules import ListRow, RuleRow
from persistence.tenancy import tenant_transaction


@dataclass(frozen=True, slots=True)
class DisplayNames:
    """The names of a tenant's rules and lists.

    Attributes:
        rules: latest name of every rule that ever was, by id.
        lists: name of every list that ever was, by id.
    """

    rules: Mapping[int, str]
    lists: Mapping[int, str]


def read_display_names(engine: Engine, tenant_id: int) -> DisplayNames:
    """Return the names of a tenant's rules and lists.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rules and lists they are.
    """
    rules = (
        select(RuleRow.id, RuleRow.name)
        .distinct(RuleRow.id)
        .where(RuleRow.tenant_id == tenant_id)
        .order_by(RuleRow.id, RuleRow.version.desc())
    )
    lists = select(ListRow.id, ListRow.name).where(ListRow.tenant_id == tenant_id)
    with tenant_transaction(engine, tenant_id) as connection:
        return DisplayNames(
            dict(connection.execute(rules).tuples().all()),
            dict(connection.execute(lists).tuples().all()),
        )
