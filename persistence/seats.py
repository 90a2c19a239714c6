"""Who serves each tenant: what was noted last, and many promotions noted at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from persistence.database import transaction
from persistence.tables import ChallengerVersionRow, ModelVersionRow, ProductionVersionRow
from persistence.tenancy import see_all_tenants, tenant_transaction
from persistence.tenants import PROMOTER
from scoring.model import FraudModel
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


def record_promotions(engine: Engine, tenant_ids: Sequence[int], model: FraudModel) -> None:
    """Note that a version serves tenants now, as `record_promotion` does for one, at once.

    Args:
        engine: the pool.
        tenant_ids: at least one; each once.
        model: a registered version.

    Raises:
        ValueError: the model has no registered version.
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    version = model.version
    if version is None:
        raise ValueError("only a registered version can serve a tenant")
    served = [
        {"tenant_id": tenant_id, "name": version.name, "version": version.version}
        for tenant_id in tenant_ids
    ]
    own = {"policy": model.policy.as_numbers(), "calibrator_kind": model.calibrator.kind}
    known = upsert(ModelVersionRow).values([row | own for row in served])
    now = upsert(ProductionVersionRow).values(served)
    with tenant_transaction(engine, *tenant_ids, actor=PROMOTER) as connection:
        connection.execute(known.on_conflict_do_nothing())
        connection.execute(
            now.on_conflict_do_update(
                index_elements=["tenant_id"],
                set_={
                    "name": now.excluded.name,
                    "version": now.excluded.version,
                    "since": func.now(),
                },
                where=(ProductionVersionRow.name != now.excluded.name)
                | (ProductionVersionRow.version != now.excluded.version),
            )
        )
