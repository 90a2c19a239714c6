"""Tenants: who shares the deployment, and which registered model is theirs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Row, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from persistence.database import transaction
from persistence.tables import (
    ChallengerVersionRow,
    ModelVersionRow,
    ProductionVersionRow,
    TenantRow,
)
from persistence.tenancy import tenant_transaction
from scoring import fixed_tests
from scoring.errors import FieldError, InvalidRequest, NotFound

if TYPE_CHECKING:
    from scoring.model import FraudModel

PROMOTER = "mlflow"
"""Promotions are made in MLflow; the service only sees them."""

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,39}\Z")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant.

    Attributes:
        id: number in this database.
        slug: lower-case letters, digits and dashes, 2 to 40 characters.
        model_name: its registered model in MLflow.
        is_test: in test mode, where fixed test transactions are answered without a model.
    """

    id: int
    slug: str
    model_name: str
    is_test: bool = False


_COLUMNS = (TenantRow.id, TenantRow.slug, TenantRow.model_name, TenantRow.is_test)


def create_tenant(engine: Engine, slug: str, model_name: str, is_test: bool = False) -> Tenant:
    """Add a tenant.

    Raises:
        InvalidRequest: the slug is malformed or taken.
    """
    if not _SLUG.match(slug):
        message = "must begin with a letter and be 2 to 40 lower-case letters, digits or dashes"
        raise InvalidRequest(f"The slug {slug!r} {message}.", errors=(FieldError("slug", message),))
    statement = (
        insert(TenantRow)
        .values(slug=slug, model_name=model_name, is_test=is_test)
        .returning(*_COLUMNS)
    )
    try:
        with transaction(engine) as connection:
            return Tenant(*connection.execute(statement).one())
    except IntegrityError as error:
        raise InvalidRequest(f"There is a tenant {slug!r} already.") from error


def list_tenants(engine: Engine) -> list[Tenant]:
    """Return every tenant, by slug."""
    with transaction(engine) as connection:
        rows = connection.execute(select(*_COLUMNS).order_by(TenantRow.slug))
        return [Tenant(*row) for row in rows]


def find_tenant(engine: Engine, slug: str) -> Tenant:
    """Return the tenant with that slug.

    Raises:
        NotFound: there is none.
    """
    with transaction(engine) as connection:
        row = connection.execute(select(*_COLUMNS).where(TenantRow.slug == slug)).one_or_none()
    return _found(row, slug)


def set_test_mode(engine: Engine, slug: str, is_test: bool) -> Tenant:
    """Put the tenant with that slug in test mode, or make it live.

    Args:
        engine: acts as the tables' owner.
        slug, is_test: which, and what.

    Raises:
        NotFound: there is none.
    """
    statement = (
        update(TenantRow).where(TenantRow.slug == slug).values(is_test=is_test).returning(*_COLUMNS)
    )
    with transaction(engine) as connection:
        row = connection.execute(statement).one_or_none()
    return _found(row, slug)


def _found(row: Row[tuple[int, str, str, bool]] | None, slug: str) -> Tenant:
    if row is None:
        raise NotFound(f"There is no tenant {slug!r}; `sentinel tenants create {slug}` makes one.")
    return Tenant(*row)


def record_promotion(engine: Engine, tenant_id: int, model: FraudModel) -> None:
    """Note that a version serves one tenant now; errors as for `record_promotions`."""
    record_promotions(engine, [tenant_id], model)


def record_promotions(engine: Engine, tenant_ids: Sequence[int], model: FraudModel) -> None:
    """Note that a version serves tenants now, so that predictions may refer to it; idempotent.

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


def record_challenger(
    engine: Engine, tenant_id: int, model: FraudModel | None, canary_percent: float
) -> None:
    """Note which version challenges a tenant's production version now; idempotent.

    Args:
        engine, tenant_id: whose.
        model: the challenger; None where there is none any more.
        canary_percent: the share of accounts that it decides for, 0 to 100; of no account without
            a model.

    Raises:
        ValueError: the model has no registered version.
    """
    with tenant_transaction(engine, tenant_id, actor=PROMOTER) as connection:
        if model is None:
            gone = delete(ChallengerVersionRow).where(ChallengerVersionRow.tenant_id == tenant_id)
            connection.execute(gone)
            return
        served = _served(tenant_id, model)
        _make_known(connection, served, model)
        now = upsert(ChallengerVersionRow).values(**served, canary_percent=canary_percent)
        moved = (ChallengerVersionRow.name != now.excluded.name) | (
            ChallengerVersionRow.version != now.excluded.version
        )
        connection.execute(
            now.on_conflict_do_update(
                index_elements=["tenant_id"],
                set_={
                    "name": now.excluded.name,
                    "version": now.excluded.version,
                    "canary_percent": now.excluded.canary_percent,
                    "since": case((moved, func.now()), else_=ChallengerVersionRow.since),
                },
                where=or_(moved, ChallengerVersionRow.canary_percent != canary_percent),
            )
        )


def record_test_model(engine: Engine, tenant_id: int) -> None:
    """Let a tenant's predictions refer to what answers fixed test transactions; idempotent."""
    known = upsert(ModelVersionRow).values(
        tenant_id=tenant_id,
        name=fixed_tests.MODEL.name,
        version=fixed_tests.MODEL.version,
        policy=fixed_tests.POLICY.as_numbers(),
        calibrator_kind=fixed_tests.CALIBRATOR_KIND,
    )
    with tenant_transaction(engine, tenant_id) as connection:
        connection.execute(known.on_conflict_do_nothing())


def _served(tenant_id: int, model: FraudModel) -> dict[str, Any]:
    if model.version is None:
        raise ValueError("only a registered version can serve a tenant")
    return {"tenant_id": tenant_id, "name": model.version.name, "version": model.version.version}


def _make_known(connection: Connection, served: dict[str, Any], model: FraudModel) -> None:
    """Let predictions refer to a version."""
    known = upsert(ModelVersionRow).values(
        **served, policy=model.policy.as_numbers(), calibrator_kind=model.calibrator.kind
    )
    connection.execute(known.on_conflict_do_nothing())
