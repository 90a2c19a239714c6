"""The pages of the model versions: all of them, one of them, and champion against challenger."""

from __future__ import annotations

from dataclasses import fields
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from api.models.effective_policy import TenantDeployment, read_deployment
from api.models.routes import MAX_APPROVALS, MAX_REFUSALS
from api.models.schemas import MaturedQuery
from api.models.second_person import MAX_VERSION
from api.models.studies import compare_with_challenger
from api.models.version_study import study_version
from api.written_parts import Reason
from console.access import Admin, Reviewer, Visitor
from console.models.approving import approve
from console.models.pictures import calibration_picture, cost_picture, precision_picture
from console.models.versions import ShownVersion, history, mlflow_page, shown_versions
from console.page_route import PageRoute
from console.rendering import render
from persistence.deployments.approvals import read_approvals
from persistence.deployments.refusals import list_refusals
from persistence.review.audit import AuditFilter, read_changes
from scoring.errors import NotFound, SecondPersonNeeded
from scoring.evaluation.comparison import Figures

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATH = "/console/models"
MAX_VERSIONS = 100
"""Versions of the list; the others have a page of their own all the same."""
MAX_ENTRIES = 50
"""Entries of a version's history."""
_UNITS = {
    "net_savings": "money",
    "ece": "share",
    "log_loss": "number",
    "brier": "number",
}

Span = Annotated[MaturedQuery, Query()]
Number = Annotated[int, Path(ge=1, le=MAX_VERSION)]


@router.get(PATH)
async def models_page(
    query: Span, request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Show every version; the page asks for the comparison by itself."""
    return await _models_page(request, visitor, dependencies, query, has_comparison=False)


@router.get(f"{PATH}/comparison")
async def comparison_page(
    query: Span, request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Compare champion and challenger: as part of the page, or as all of it."""
    if "hx-request" not in request.headers:
        return await _models_page(request, visitor, dependencies, query, has_comparison=True)
    deployment = await dependencies.run(read_deployment, visitor.tenant_id)
    comparison = await _comparison(dependencies, visitor, deployment, query)
    return render(request, "models/comparison.html.j2", visitor, query=query, **comparison)


@router.get(f"{PATH}/{{version}}")
async def version_page(
    version: Number,
    query: Span,
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Show one version; the page asks for the pictures by itself."""
    return await _version_page(request, visitor, dependencies, version, query)


@router.get(f"{PATH}/{{version}}/pictures")
async def pictures_page(
    version: Number,
    query: Span,
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Show how a version did on matured decisions: as part of the page, or as all of it."""
    if "hx-request" not in request.headers:
        return await _version_page(
            request, visitor, dependencies, version, query, has_pictures=True
        )
    shown, _, deployment = await _version(dependencies, visitor, version)
    pictures = await _pictures(dependencies, visitor, shown, deployment, query)
    return render(request, "models/pictures.html.j2", visitor, query=query, **pictures)


@router.post(f"{PATH}/{{version}}/approve")
async def approve_version_page(
    version: Number,
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    note: Annotated[Reason | None, Form()] = None,
) -> Response:
    """Approve a version; who promoted it sees why somebody else has to."""
    try:
        await approve(dependencies, visitor, version, note)
    except SecondPersonNeeded:
        return await _version_page(
            request, visitor, dependencies, version, MaturedQuery(),
            problem="models.second_person", status=HTTPStatus.CONFLICT,
        )  # fmt: skip
    return RedirectResponse(f"{PATH}/{version}", HTTPStatus.SEE_OTHER)


async def _models_page(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    query: MaturedQuery,
    *,
    has_comparison: bool,
) -> Response:
    versions, four_eyes, deployment = await _versions(dependencies, visitor)
    comparison: dict[str, Any] = {}
    if has_comparison:
        comparison = await _comparison(dependencies, visitor, deployment, query)
    return render(
        request,
        "models/models.html.j2",
        visitor,
        query=query,
        versions=versions[:MAX_VERSIONS],
        left_out=max(0, len(versions) - MAX_VERSIONS),
        four_eyes=four_eyes,
        deployment=deployment,
        in_mlflow=mlflow_page(dependencies.mlflow_url, visitor.signed_in.model_name),
        has_comparison=has_comparison,
        **comparison,
    )


async def _version_page(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    number: int,
    query: MaturedQuery,
    *,
    has_pictures: bool = False,
    problem: str | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    shown, four_eyes, deployment = await _version(dependencies, visitor, number)
    wanted = AuditFilter(object=f"models/{shown.model.name}/{shown.model.version}")
    changes = await dependencies.run(read_changes, visitor.tenant_id, wanted, limit=MAX_ENTRIES)
    pictures: dict[str, Any] = {}
    if has_pictures:
        pictures = await _pictures(dependencies, visitor, shown, deployment, query)
    return render(
        request,
        "models/version.html.j2",
        visitor,
        status=status,
        query=query,
        version=shown,
        four_eyes=four_eyes,
        own_policy=deployment.own_policy,
        history=history(changes.entries),
        has_approved=visitor.actor.name in {approval.actor for approval in shown.approvals},
        has_pictures=has_pictures,
        problem=problem,
        in_mlflow=mlflow_page(dependencies.mlflow_url, shown.model.name, shown.model.version),
        **pictures,
    )


async def _versions(
    dependencies: ApiDependencies, visitor: Visitor
) -> tuple[list[ShownVersion], bool, TenantDeployment]:
    """Return the tenant's versions, whether it asks for four eyes, and what serves it."""
    tenant_id = visitor.tenant_id
    deployment = await dependencies.run(read_deployment, tenant_id)
    refusals = await dependencies.run(list_refusals, tenant_id, MAX_REFUSALS)
    approvals = await dependencies.run(read_approvals, tenant_id, MAX_APPROVALS)
    versions = shown_versions(deployment, approvals.latest, refusals)
    return versions, approvals.four_eyes, deployment


async def _version(
    dependencies: ApiDependencies, visitor: Visitor, number: int
) -> tuple[ShownVersion, bool, TenantDeployment]:
    versions, four_eyes, deployment = await _versions(dependencies, visitor)
    name = visitor.signed_in.model_name
    for shown in versions:
        if (shown.model.name, shown.model.version) == (name, number):
            return shown, four_eyes, deployment
    raise NotFound(f"No version {number} of {name} served, was refused or was approved.")


async def _comparison(
    dependencies: ApiDependencies,
    visitor: Visitor,
    deployment: TenantDeployment,
    query: MaturedQuery,
) -> dict[str, Any]:
    """Return what the template of the comparison shows."""
    compared = await compare_with_challenger(dependencies, visitor.tenant_id, deployment, query)
    figures = [(field.name, _UNITS.get(field.name, "count")) for field in fields(Figures)]
    note = compared if isinstance(compared, str) else None
    return {"compared": None if note else compared, "note": note, "figures": figures}


async def _pictures(
    dependencies: ApiDependencies,
    visitor: Visitor,
    shown: ShownVersion,
    deployment: TenantDeployment,
    query: MaturedQuery,
) -> dict[str, Any]:
    """Return what the template of the pictures shows."""
    if shown.served is None:
        return {"study": None}
    study = await study_version(dependencies, visitor.tenant_id, shown.served, deployment, query)
    if isinstance(study.tuning, str):
        return {"study": study, "has_curve": False}
    return {
        "study": study,
        "has_curve": True,
        "cost": cost_picture(study.tuning, study.policy.thresholds),
        "precision": precision_picture(study.tuning),
        "calibration": calibration_picture(study.calibration),
    }
