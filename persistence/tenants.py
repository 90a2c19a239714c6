"""Tenants: who shares the deployment, and which registered model is theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from persistence.database import transaction
from persistence.tables import ModelVersionRow, ProductionVersionRow, TenantRow
from persistence.tenancy import tenant_transaction
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
    """

    id: int
    slug: str
    model_name: str


_COLUMNS = (TenantRow.id, TenantRow.slug, TenantRow.model_name)


def create_tenant(engine: Engine, slug: str, model_name: str) -> Tenant:
    """Add a tenant.

    Raises:
        InvalidRequest: the slug is malformed or taken.
    """
    if not _SLUG.match(slug):
        message = "must begin with a letter and be 2 to 40 lower-case letters, digits or dashes"
        raise InvalidRequest(f"The slug {slug!r} {message}.", errors=(FieldError("slug", message),))
    statement = insert(TenantRow).values(slug=slug, model_name=model_name).returning(*_COLUMNS)
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
    if row is None:
        raise NotFound(f"There is no tenant {slug!r}; `sentinel tenants create {slug}` makes one.")
    return Tenant(*row)


def record_promotion(engine: Engine, tenant_id: int, model: FraudModel) -> None:
    """Note that a version serves a tenant now, so that predictions may refer to it; idempotent.

    Raises:
        ValueError: the model has no registered version.
    """
    if model.version is None:
        raise ValueError("only a registered version can serve a tenant")
    served = {
        "tenant_id": tenant_id,
        "name": model.version.name,
        "version": model.version.version,
    }
    known = upsert(ModelVersionRow).values(
        **served, policy=model.policy.as_numbers(), calibrator_kind=model.calibrator.kind
    )
    now = upsert(ProductionVersionRow).values(**served)
    moved = (ProductionVersionRow.name != now.excluded.name) | (
        ProductionVersionRow.version != now.excluded.version
    )
    with tenant_transaction(engine, tenant_id, actor=PROMOTER) as connection:
        connection.execute(known.on_conflict_do_nothing())
        connection.execute(
            now.on_conflict_do_update(
                index_elements=["tenant_id"],
                set_={
                    "name": now.excluded.name,
                    "version": now.excluded.version,
                    "since": func.now(),
                },
                where=moved,
            )
        )
