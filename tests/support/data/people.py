"""People of a tenant, who have signed in."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, Engine, insert

from persistence.actor import Actor
from persistence.people.links import create_link, use_link
from persistence.people.users import Role, User, create_user
from persistence.tables.review import ReviewAssignmentRow
from persistence.tenants import Tenant

PASSWORD = "correct horse battery"
_SETUP = Actor("setup")


def put_person(
    engine: Engine, tenant: Tenant, name: str = "Ana Analyst", role: Role = "analyst"
) -> User:
    """Add a person, who has chosen PASSWORD."""
    email = f"{name.split()[0].lower()}@{tenant.slug}.example"
    user = create_user(engine, tenant.id, email=email, name=name, role=role, actor=_SETUP)
    use_link(engine, create_link(engine, user, "password", actor=_SETUP), PASSWORD)
    return user


def assign(connection: Connection, user: User, transaction_id: UUID) -> None:
    """Assign a transaction to a person."""
    connection.execute(
        insert(ReviewAssignmentRow).values(
            tenant_id=user.tenant_id, transaction_id=transaction_id, user_id=user.id
        )
    )
