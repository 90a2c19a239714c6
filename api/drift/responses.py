"""The reply of GET /drift, built from the domain's values."""

from __future__ import annotations

from itertools import pairwise

from api.drift.schemas import BinOut, DriftReply, MeasureOut, VersionDriftOut
from persistence.drift.checks import Check, Measure, Run
from scoring.described_features import FeatureDescription
from scoring.evaluation.drift import SCORE
from web.responses import model_out
from web.schemas import WindowOut

NOT_COMPUTED = (
    "No drift has been computed: `sentinel monitor` has not run since the first version was in "
    "production."
)


def drift_reply(run: Run | None) -> DriftReply:
    """Return the reply for the latest run, or for a tenant that has none."""
    if run is None:
        return DriftReply(computed_at=None, window=None, versions=[], note=NOT_COMPUTED)
    return DriftReply(
        computed_at=run.computed_at,
        window=WindowOut(from_=run.window.since, to=run.window.until),
        versions=[_version_out(check) for check in run.checks],
        note=None,
    )


def _version_out(check: Check) -> VersionDriftOut:
    find = check.described.find
    measures = {m.name: _measure_out(m, find(m.name)) for m in check.measures}
    return VersionDriftOut(
        model=model_out(check.version),
        in_production=check.is_in_production,
        predictions=check.predictions,
        score=measures.pop(SCORE, None),
        features=list(measures.values()),
        note=check.note,
    )


def _measure_out(measure: Measure, feature: FeatureDescription | None) -> MeasureOut:
    shift, trained = measure.shift, measure.trained
    ends = pairwise([None, *trained.edges, None])
    return MeasureOut(
        name=measure.name,
        level=shift.level,
        psi=shift.psi,
        expected_without_drift=shift.expected_without_drift,
        limit_without_drift=shift.limit_without_drift,
        rows=sum(measure.counts),
        trained_rows=trained.rows,
        bins=[
            BinOut(
                from_=low,
                to=high,
                trained=share,
                rows=count,
                display_value=feature.display_range(low, high) if feature else None,
            )
            for (low, high), share, count in zip(
                ends, trained.proportions, measure.counts, strict=True
            )
        ],
    )
