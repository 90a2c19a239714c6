"""The approval of a version by a person in the console."""

from __future__ import annotations

from sqlalchemy import Engine

from api.dependencies import ApiDependencies
from api.models.second_person import version_to_approve
from console.access import Visitor
from persistence.actor import Actor
from persistence.deployments.approvals import Approval, ApprovedVersion, approve_version
from persistence.tenancy import tenant_transaction


async def approve(
    dependencies: ApiDependencies, visitor: Visitor, number: int, note: str | None
) -> Approval:
    """Record that a person approves a version; the person's first approval stays.

    Raises:
        NotFound: MLflow has no such version.
        SecondPersonNeeded: the person promoted it.
        RegistryUnavailable: MLflow does not answer.
    """
    model_name = visitor.signed_in.model_name
    approved = await version_to_approve(
        dependencies, visitor.tenant_id, model_name, number, visitor.actor
    )
    return await dependencies.run(_record, visitor.tenant_id, approved, visitor.actor, note)


def _record(
    engine: Engine, tenant_id: int, approved: ApprovedVersion, actor: Actor, note: str | None
) -> Approval:
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        return approve_version(connection, tenant_id, approved, actor, note)
