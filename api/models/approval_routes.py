"""The route with which a second person approves a model version."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from sqlalchemy import Connection
from starlette.responses import Response

from api.dependencies import ADMIN_WITHOUT_PARAMETERS, Admin, CurrentDependencies
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.models.responses import approval_out
from api.models.schemas import ApprovalIn, ApprovalOut
from api.models.second_person import MAX_VERSION, version_to_approve
from api.openapi_responses import ANYWHERE, WITH_BODY, problems
from api.request_body import BodyReader, JsonBody
from persistence.deployments.approvals import approve_version
from registry.client.base import RegistryUnavailable
from scoring.errors import IdempotencyMismatch, NotFound, SecondPersonNeeded

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
    approved = await version_to_approve(
        dependencies, caller.tenant_id, caller.model_name, version, caller.actor
    )

    def approve(connection: Connection) -> ApprovalOut:
        approval = approve_version(connection, caller.tenant_id, approved, caller.actor, body.note)
        return approval_out(approval)

    return await write(dependencies, request, caller, body, approve)
