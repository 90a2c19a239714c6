"""The page of the overview."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import CurrentDependencies
from api.models.effective_policy import read_deployment
from console.access import Reviewer
from console.event_types import event_type_of
from console.formats import utc_now
from console.overview import values
from console.overview.values import RANGES, Range
from console.page_route import PageRoute
from console.rendering import render
from console.threshold.waiting import read_waiting
from persistence.drift.checks import latest_run
from persistence.hourly.reading import read_figures
from scoring.errors import NoModel

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_SHARES = (0.5, 0.95, 0.99)


@router.get("/console/overview")
async def overview_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, range: Range = "7d"
) -> Response:
    """Show what waits, what was caught, and how decisions go, over a range of time."""
    tenant_id, now = visitor.tenant_id, utc_now()
    zone = ZoneInfo(visitor.signed_in.time_zone)
    since, step = values.span_of(range, now, zone)
    figures = await dependencies.run(read_figures, tenant_id, since, step, zone.key)
    deployment = await dependencies.run(read_deployment, tenant_id)
    event_type = await event_type_of(dependencies, tenant_id)
    try:
        effective = deployment.effective_policy()
    except NoModel:
        effective = None
    policy = effective.policy if effective else None
    proposed_by = None
    if effective is not None and visitor.may("admin"):
        waiting = await dependencies.run(
            read_waiting, tenant_id, effective=effective, actor=visitor.actor
        )
        if waiting.blocks and waiting.proposal is not None and not waiting.is_own:
            proposed_by = waiting.proposal.proposed_by.name
    parts = values.parts_of(figures, now, zone)
    bins = values.score_bins(figures.total)
    return render(
        request,
        "overview/overview.html.j2",
        visitor,
        range=range,
        ranges=RANGES,
        figures=figures,
        proposed_by=proposed_by,
        known=values.known_of(figures.total, policy),
        parts=parts,
        minutes_late=values.minutes_late(now, zone),
        flagged_bars=values.flagged_bars(parts),
        bins=bins,
        score_bars=values.score_bars(bins, policy),
        heat=values.heat_of(figures.hours_of_week),
        tables=values.category_tables(figures),
        has_amount="amount" in event_type.roles,
        latencies=[
            (share, values.latency_within(figures.total.latencies, share)) for share in _SHARES
        ],
        deployment=deployment,
        effective=effective,
        drift=values.drift_state(await dependencies.run(latest_run, tenant_id)),
    )
