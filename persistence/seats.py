"""Who serves each tenant, as it was noted last."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select

from persistence.database import transaction
from persistence.tables import ChallengerVersionRow, ProductionVersionRow
from persistence.tenancy import see_all_tenants
from scoring.prediction import ModelVersion


@dataclass(frozen=True, slots=True)
class NotedSeats:
    """What the tables say of a tenant.

    Attributes:
        champion, challenger: the version noted; None where there is none.
        canary_percent: the share of accounts that the challenger decides for, 0 to 100.
    """

    champion: ModelVersion | None = None
    challenger: ModelVersion | None = None
    canary_percent: float = 0.0


def noted_seats(engine: Engine) -> dict[int, NotedSeats]:
    """Return what is noted, by tenant: one query, however many tenants there are.

    Raises:
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    champion, challenger = ProductionVersionRow, ChallengerVersionRow
    statement = select(
        champion.tenant_id,
        champion.name,
        champion.version,
        challenger.name.label("challenger_name"),
        challenger.version.label("challenger_version"),
        challenger.canary_percent,
    ).outerjoin(challenger, challenger.tenant_id == champion.tenant_id)
    with transaction(engine) as connection:
        see_all_tenants(connection)
        return {
            row.tenant_id: NotedSeats(
                ModelVersion(row.name, row.version),
                ModelVersion(row.challenger_name, row.challenger_version)
                if row.challenger_name is not None
                else None,
                row.canary_percent or 0.0,
            )
            for row in connection.execute(statement)
        }
