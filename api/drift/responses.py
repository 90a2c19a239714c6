"""Drift as a reply body; shapes: `api/drift/schemas.py`."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from persistence.drift.checks import Check, Measure, Run
from scoring.evaluation.drift import SCORE
from web.responses import model

NOT_COMPUTED = (
    "No drift has been computed: `sentinel monitor` has not run since the first version was in "
    "production."
)


def drift(run: Run | None) -> dict[str, Any]:
    """Render the latest run, or that there is none."""
    if run is None:
        return {"computed_at": None, "window": None, "versions": [], "note": NOT_COMPUTED}
    return {
        "computed_at": run.computed_at,
        "window": {"from": run.window.since, "to": run.window.until},
        "versions": [_version(check) for check in run.checks],
        "note": None,
    }


def _version(check: Check) -> dict[str, Any]:
    measures = {measure.name: _measure(measure) for measure in check.measures}
    return {
        "model": model(check.version),
        "in_production": check.is_in_production,
        "predictions": check.predictions,
        "score": measures.pop(SCORE, None),
        "features": list(measures.values()),
        "note": check.note,
    }


def _measure(measure: Measure) -> dict[str, Any]:
    found, trained = measure.shift, measure.trained
    ends = pairwise([None, *trained.edges, None])
    return {
        "name": measure.name,
        "level": found.level,
        "psi": found.psi,
        "expected_without_drift": found.expected_without_drift,
        "limit_without_drift": found.limit_without_drift,
        "rows": sum(measure.counts),
        "trained_rows": trained.rows,
        "bins": [
            {"from": low, "to": high, "trained": share, "rows": count}
            for (low, high), share, count in zip(
                ends, trained.proportions, measure.counts, strict=True
            )
        ],
    }
