"""Tenants: who shares the deployment, and which registered model is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from babel.numbers import is_currency
from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from persistence.actor import Actor
from persistence.engine import transaction
from persistence.tables.tenants import TenantRow
from persistence.tenancy import SERVICE, tenant_transaction
from scoring.errors import FieldError, InvalidRequest, UnknownTenant
from scoring.tenant import TenantLimits, is_slug, model_name_problem


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant.

    Attributes:
        id: number in this database.
        slug: lower-case letters, digits and dashes, 2 to 40 characters.
        model_name: its registered model in MLflow.
        is_test: in test mode, where fixed test transactions are answered without a model.
        four_eyes: a model version serves it only after a second person's approval.
        four_eyes_policy: a policy is in force only after a second person's approval.
        journal: its payments are decided while Postgres is away, and journalled.
        payments_per_second: most payments that a process takes of it a second; None: no limit.
        key_payments_per_second: the same of each of its API keys.
    """

    id: int
    slug: str
    model_name: str
    is_test: bool = False
    four_eyes: bool = False
    four_eyes_policy: bool = False
    journal: bool = False
    payments_per_second: int | None = None
    key_payments_per_second: int | None = None

    @property
    def limits(self) -> TenantLimits | None:
        """The limits of payments a second; None without any."""
        limits = TenantLimits(self.payments_per_second, self.key_payments_per_second)
        return None if limits == TenantLimits() else limits


_COLUMNS = (
    *(TenantRow.id, TenantRow.slug, TenantRow.model_name),
    *(TenantRow.is_test, TenantRow.four_eyes, TenantRow.four_eyes_policy, TenantRow.journal),
    *(TenantRow.payments_per_second, TenantRow.key_payments_per_second),
)


def create_tenant(
    engine: Engine,
    slug: str,
    model_name: str,
    is_test: bool = False,
    *,
    actor: Actor = SERVICE,
) -> Tenant:
    """Add a tenant.

    Args:
        engine: pool that acts as the tables' owner.
        slug: slug of the tenant.
        model_name: registered model in MLflow.
        is_test: whether the tenant is in test mode.
        actor: person who creates it.

    Raises:
        InvalidRequest: the slug is malformed or taken, or no registered model can have the name.
    """
    if not is_slug(slug):
        message = "must begin with a letter and be 2 to 40 lower-case letters, digits or dashes"
        raise InvalidRequest(f"The slug {slug!r} {message}.", errors=(FieldError("slug", message),))
    if problem := model_name_problem(model_name):
        raise InvalidRequest(
            f"The registered model's name {model_name!a} {problem}.",
            errors=(FieldError("model", problem),),
        )
    statement = (
        insert(TenantRow)
        .values(slug=slug, model_name=model_name, is_test=is_test)
        .returning(*_COLUMNS)
    )
    try:
        with tenant_transaction(engine, actor=actor) as connection:
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
        UnknownTenant: there is none.
    """
    with transaction(engine) as connection:
        row = connection.execute(select(*_COLUMNS).where(TenantRow.slug == slug)).one_or_none()
    return _found(row, slug)


def limits_of(engine: Engine, tenant_id: int) -> TenantLimits:
    """Return the limits of a tenant's payments a second."""
    statement = select(TenantRow.payments_per_second, TenantRow.key_payments_per_second)
    with tenant_transaction(engine, tenant_id) as connection:
        row = connection.execute(statement.where(TenantRow.id == tenant_id)).one()
    return TenantLimits(*row)


def set_test_mode(engine: Engine, slug: str, is_test: bool, *, actor: Actor = SERVICE) -> Tenant:
    """Put the tenant with that slug in test mode, or make it live.

    Args:
        engine: pool that acts as the tables' owner.
        slug: slug of the tenant.
        is_test: whether the tenant is in test mode from now on.
        actor: person who changes it.

    Raises:
        UnknownTenant: there is none.
    """
    return _update(engine, slug, actor, is_test=is_test)


def set_four_eyes(engine: Engine, slug: str, four_eyes: bool, *, actor: Actor = SERVICE) -> Tenant:
    """Ask for a second person's approval of a tenant's versions from now on, or no longer.

    The version in production goes on without one.

    Args:
        engine: pool that acts as the tables' owner.
        slug: slug of the tenant.
        four_eyes: whether a version serves only after an approval.
        actor: person who changes it.

    Raises:
        UnknownTenant: there is none.
    """
    return _update(engine, slug, actor, four_eyes=four_eyes)


def set_four_eyes_policy(
    engine: Engine, slug: str, four_eyes: bool, *, actor: Actor = SERVICE
) -> Tenant:
    """Ask for a second person's approval of a tenant's policies from now on, or no longer.

    The policy in force goes on without one, and a proposal that waits can still be decided.

    Args:
        engine: pool that acts as the tables' owner.
        slug: slug of the tenant.
        four_eyes: whether a policy is in force only after an approval.
        actor: person who changes it.

    Raises:
        UnknownTenant: there is none.
    """
    return _update(engine, slug, actor, four_eyes_policy=four_eyes)


def set_journal(engine: Engine, slug: str, journal: bool, *, actor: Actor = SERVICE) -> Tenant:
    """Decide a tenant's payments while Postgres is away, and journal them, or refuse them.

    Args:
        engine: pool that acts as the tables' owner.
        slug: slug of the tenant.
        journal: whether they are journalled.
        actor: person who changes it.

    Raises:
        UnknownTenant: there is none.
    """
    return _update(engine, slug, actor, journal=journal)


def set_limits(
    engine: Engine, slug: str, limits: TenantLimits, *, actor: Actor = SERVICE
) -> Tenant:
    """Limit the payments a second of a tenant and of each of its API keys, in each process.

    Args:
        engine: pool that acts as the tables' owner.
        slug: slug of the tenant.
        limits: limits that hold from now on.
        actor: person who changes it.

    Raises:
        UnknownTenant: there is none.
    """
    return _update(
        engine,
        slug,
        actor,
        payments_per_second=limits.tenant,
        key_payments_per_second=limits.key,
    )


def set_locale(
    engine: Engine, slug: str, *, currency: str | None, time_zone: str | None, actor: Actor
) -> Tenant:
    """Change how the console writes a tenant's amounts and times.

    Args:
        engine: pool that acts as the tables' owner.
        slug: slug of the tenant.
        currency: ISO 4217 code of the amounts; None: as it is.
        time_zone: IANA name of the zone of the times; None: as it is.
        actor: person who changes it.

    Raises:
        UnknownTenant: there is no such tenant.
        InvalidRequest: there is no such currency or zone.
    """
    values = {"currency": currency and currency.upper(), "time_zone": time_zone}
    if currency and not is_currency(currency.upper()):
        message = "must be a code of ISO 4217, such as EUR"
        raise InvalidRequest(f"The currency {message}.", errors=(FieldError("currency", message),))
    if time_zone and time_zone not in available_timezones():
        message = "must be a name of the IANA time zones, such as Europe/Berlin"
        raise InvalidRequest(
            f"The time zone {message}.", errors=(FieldError("time_zone", message),)
        )
    return _update(engine, slug, actor, **{name: v for name, v in values.items() if v})


def _update(engine: Engine, slug: str, actor: Actor, **values: bool | str | int | None) -> Tenant:
    statement = (
        update(TenantRow).where(TenantRow.slug == slug).values(**values).returning(*_COLUMNS)
    )
    with tenant_transaction(engine, actor=actor) as connection:
        row = connection.execute(statement).one_or_none()
    return _found(row, slug)


def _found(row: Row[Any] | None, slug: str) -> Tenant:
    if row is None:
        raise UnknownTenant(slug)
    return Tenant(*row)
