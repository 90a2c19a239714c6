"""The check before an approval: the version exists, and somebody else promoted it."""

from __future__ import annotations

import logging

from api.dependencies import ApiDependencies
from persistence.actor import Actor
from persistence.deployments.approvals import ApprovedVersion
from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.promoted_by import promoted_by
from scoring.errors import NotFound, SecondPersonNeeded
from scoring.model.approval import is_second_person

MAX_VERSION = 2**31 - 1
"""Largest number that Postgres stores of a version."""

logger = logging.getLogger("sentinel.api")


async def version_to_approve(
    dependencies: ApiDependencies, model_name: str, number: int, actor: Actor, *other_names: str
) -> ApprovedVersion:
    """Return the version that somebody may approve, as MLflow has it.

    Args:
        dependencies: what the management routes use.
        model_name: name of the tenant's registered model.
        number: number of the version.
        actor: API key, or person, that approves it.
        other_names: names under which the same person may have promoted it.

    Raises:
        NotFound: MLflow has no such version.
        SecondPersonNeeded: the approver promoted it.
        RegistryUnavailable: MLflow does not answer.
    """
    found = await _registered(dependencies, model_name, number)
    promoter = promoted_by(found)
    user = promoter.user if promoter else None
    if not all(is_second_person(name, user) for name in (actor.name, *other_names)):
        raise SecondPersonNeeded(
            f"{actor.name} promoted {found}, so somebody else has to approve it."
        )
    return ApprovedVersion(found.name, found.version, found.created_ms)


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
