"""The check before an approval: the version exists, and somebody else promoted it."""

from __future__ import annotations

import logging

from sqlalchemy import Engine

from api.dependencies import ApiDependencies
from persistence.actor import Actor
from persistence.deployments.approvals import ApprovedVersion
from persistence.people.same_person import identity_by_name, identity_of
from persistence.tenancy import tenant_transaction
from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.promoted_by import promoted_by
from scoring.errors import NotFound, SecondPersonNeeded

MAX_VERSION = 2**31 - 1
"""Largest number that Postgres stores of a version."""

logger = logging.getLogger("sentinel.api")


async def version_to_approve(
    dependencies: ApiDependencies, tenant_id: int, model_name: str, number: int, actor: Actor
) -> ApprovedVersion:
    """Return the version that somebody may approve, as MLflow has it.

    Args:
        dependencies: what the management routes use.
        tenant_id: tenant of the approver.
        model_name: name of the tenant's registered model.
        number: number of the version.
        actor: API key, or person, that approves it.

    Raises:
        NotFound: MLflow has no such version.
        SecondPersonNeeded: the approver promoted it.
        RegistryUnavailable: MLflow does not answer.
    """
    found = await _registered(dependencies, model_name, number)
    promoter = promoted_by(found)
    if promoter is not None:
        is_one = await dependencies.run(_is_one_person, tenant_id, promoter.user, actor)
        if is_one:
            raise SecondPersonNeeded(
                f"{actor.name} promoted {found}, so somebody else has to approve it."
            )
    return ApprovedVersion(found.name, found.version, found.created_ms)


def _is_one_person(engine: Engine, tenant_id: int, promoter: str, actor: Actor) -> bool:
    with tenant_transaction(engine, tenant_id) as connection:
        approver = identity_of(connection, tenant_id, actor)
    return approver.is_same_person(identity_by_name(promoter))


async def _registered(dependencies: ApiDependencies, name: str, number: int) -> RegisteredVersion:
    try:
        version = await dependencies.find_version(name, number)
    except RegistryUnavailable as error:
        logger.warning("%s version %s was not approved: %s", name, number, error)
        raise RegistryUnavailable(
            "MLflow does not answer, so the version cannot be looked up; nothing was approved."
        ) from error
    if version is None:
        raise NotFound(f"{name} has no version {number}.")
    return version
