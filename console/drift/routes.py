"""The page of drift, and its parts on calibration and on estimated performance."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import CurrentDependencies
from api.models.effective_policy import read_deployment
from api.models.matured_decisions import DecisionWindow, study_decisions
from console.access import Reviewer
from console.drift import estimates, values
from console.formats import utc_now
from console.page_route import PageRoute
from console.rendering import formats_of, render
from persistence.drift.checks import latest_run
from persistence.drift.history import shift_history
from persistence.hourly.counts import SCORE_EDGES
from persistence.hourly.expected import read_expected
from persistence.labels.reader import MATURITY_DAYS, SELECTION_BIAS
from scoring.errors import NoModel, NotFound
from scoring.evaluation.drift import SCORE
from scoring.evaluation.reliability import ReliabilityBin, reliability

router = APIRouter(include_in_schema=False, route_class=PageRoute)

WINDOW_DAYS = 90.0
ESTIMATED_DAYS = 60
"""Days with an estimate: half of them are mature."""


@router.get("/console/drift")
async def drift_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    version: Annotated[int, Query(ge=1, le=2**31 - 1)] | None = None,
    feature: str | None = None,
) -> Response:
    """Show how far features and score are from training, and one of them in detail."""
    run = await dependencies.run(latest_run, visitor.tenant_id)
    if run is None:
        return render(request, "drift/drift.html.j2", visitor, run=None)
    check = values.chosen_check(run, version)
    if check is None:
        raise NotFound(f"Version {version} decided nothing in the latest window.")
    measures = values.ordered(check)
    measure = values.chosen_measure(measures, feature)
    if feature is not None and measure is None:
        raise NotFound(f"The version has no feature {feature}.")
    bins, line = [], None
    if measure:
        formats = formats_of(request, visitor)
        bins = values.distribution(measure, check.described.find(measure.name), formats)
        line = values.shift_line(
            await dependencies.run(shift_history, visitor.tenant_id, check.version, measure.name)
        )
    return render(
        request,
        "drift/drift.html.j2",
        visitor,
        run=run,
        check=check,
        measures=measures,
        measure=measure,
        bins=bins,
        bars=values.distribution_bars(bins),
        line=line,
        score=SCORE,
    )


@router.get("/console/drift/calibration")
async def calibration_part(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Show how often decisions of a score were frauds; a part that the page loads."""
    window, bins = await dependencies.run_cached(
        _calibration, visitor.tenant_id, MATURITY_DAYS, WINDOW_DAYS
    )
    is_part = "hx-request" in request.headers
    return render(
        request,
        "drift/calibration.html.j2" if is_part else "drift/calibration_page.html.j2",
        visitor,
        window=window,
        bins=bins,
        maturity_days=MATURITY_DAYS,
    )


@router.get("/console/drift/estimate")
async def estimate_part(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Show the performance that probabilities let expect; a part that the page loads."""
    zone = ZoneInfo(visitor.signed_in.time_zone)
    today = utc_now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = (today - timedelta(days=ESTIMATED_DAYS)).astimezone(UTC)
    until, days = await dependencies.run(read_expected, visitor.tenant_id, since, zone.key)
    deployment = await dependencies.run(read_deployment, visitor.tenant_id)
    try:
        costs = deployment.effective_policy().policy.cost_model
    except NoModel:
        costs = None
    maturity = timedelta(days=MATURITY_DAYS)
    mature, awaited = estimates.parted(days, until, maturity) if until else ([], [])
    before_labels = estimates.estimate_of(awaited, costs, is_mature=False)
    is_part = "hx-request" in request.headers
    return render(
        request,
        "drift/estimate.html.j2" if is_part else "drift/estimate_page.html.j2",
        visitor,
        until=until,
        awaited=before_labels,
        mature=estimates.estimate_of(mature, costs, is_mature=True),
        bars=estimates.bars_of(before_labels.days) if before_labels else [],
        figures=estimates.FIGURES,
        maturity_days=MATURITY_DAYS,
        selection_bias=SELECTION_BIAS,
    )


def _calibration(
    engine: Engine, tenant_id: int, maturity_days: float, window_days: float
) -> tuple[DecisionWindow, list[ReliabilityBin]]:
    window, matured = study_decisions(engine, tenant_id, maturity_days, window_days, None)
    return window, reliability(matured.score, matured.is_fraud, matured.weights, SCORE_EDGES)
