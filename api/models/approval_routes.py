"""The route with which a second person approves a model version."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from sqlalchemy import Connection
from starlette.responses import Response

from api.dependencies import (
    ADMIN_WITHOUT_PARAMETERS,
    Admin,
    ApiDependencies,
    CurrentDependencies,
)
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.models.responses import approval_out
from api.models.schemas import ApprovalIn, ApprovalOut
from api.openapi_responses import ANYWHERE, WITH_BODY, problems
from api.request_body import BodyReader, JsonBody
from persistence.deployments.approvals import ApprovedVersion, approve_version
from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.promoted_by import promoted_by
from scoring.errors import IdempotencyMismatch, NotFound, SecondPersonNeeded
from scoring.model.approval import is_second_person

MAX_VERSION = 2**31 - 1
"""Largest number that Postgres stores of a version."""

logger = logging.getLogger("sentinel.api")
router = APIRouter(tags=["Models and policy"])
_BODY = JsonBody(
    ApprovalIn, {"with_a_note": {"note": "Compared on September: 12 more frauds."}}, required=False
)


@router.post(
    "/models/{version}/approve",
    operation_id="approve_model",
    summary="Approve a version that somebody else promotes",
    responses={
        **problems(
            409,
            *WITH_BODY,
            *ANYWHERE,
            NotFound,
            SecondPersonNeeded,
            RegistryUnavailable,
            IdempotencyMismatch,
        ),
        200: {"headers": REPLAYED_HEADER},
    },
    openapi_extra=IDEMPOTENT,
    response_model=ApprovalOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def approve_model(
    version: Annotated[int, Path(ge=1, le=MAX_VERSION, description="number of the version")],
    read_approval: Annotated[BodyReader[ApprovalIn], Depends(_BODY)],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """Where the tenant asks for four eyes, a version decides payments only once it has an approval.

    It may be approved before it has an alias. The approver is the API key, by its name; who
    promoted the version by command must not approve it. Repeated, the first approval stays.
    Scope: admin.
    """
    body = await read_approval()
    found = await _registered(dependencies, caller.model_name, version)
    promoter = promoted_by(found)
    if not is_second_person(caller.actor.name, promoter.user if promoter else None):
        raise SecondPersonNeeded(
            f"{caller.actor.name} promoted {found}, so somebody else has to approve it."
        )
    approved = ApprovedVersion(found.name, found.version, found.created_ms)

    def approve(connection: Connection) -> ApprovalOut:
        approval = approve_version(connection, caller.tenant_id, approved, caller.actor, body.note)
        return approval_out(approval)

    return await write(dependencies, request, caller, body, approve)


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
