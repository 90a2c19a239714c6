"""The page of one transaction."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.page_route import PageRoute
from console.rendering import render
from persistence.review.worklist import read_case

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/console/transactions/{transaction_id}")
async def transaction_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, transaction_id: UUID
) -> Response:
    """Show a transaction with its decision as it was made."""
    case = await dependencies.run(
        read_case, visitor.tenant_id, transaction_id, reader=visitor.actor
    )
    return render(request, "transaction/transaction.html.j2", visitor, case=case)
