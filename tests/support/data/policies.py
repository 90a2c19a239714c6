"""Policies put in force without a request."""

from __future__ import annotations

from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.policies import TenantPolicy, insert_policy
from persistence.tenancy import tenant_transaction
from scoring.policy import Policy


def set_policy(engine: Engine, tenant_id: int, policy: Policy | None, actor: str) -> TenantPolicy:
    """Put a tenant's own policy in force, or withdraw it (None), whatever is in force before."""
    with tenant_transaction(engine, tenant_id, actor=Actor(actor)) as connection:
        return insert_policy(connection, tenant_id, policy, actor)
