"""The page of drift shows the latest run of the monitor, and calibration on matured labels."""

from __future__ import annotations

import numpy as np

from persistence.drift.checks import check_drift, latest_run
from persistence.hourly.counts import SCORE_EDGES
from scoring.evaluation.drift import SCORE
from scoring.evaluation.reliability import reliability
from scoring.prediction import ModelVersion
from tests.support.console.site import Site
from tests.support.data.drift import decide, last_day, payments, trained

VERSION = ModelVersion("fraud-demo", 1)


def test_the_page_shows_each_feature_with_its_chance_limit_and_the_one_that_moved(
    site: Site,
) -> None:
    decide(site.engine, site.tenant.id, VERSION, payments(2000, amount=50.0))
    for _ in range(2):
        check_drift(site.engine, site.tenant.id, last_day(), {VERSION: trained()})
    run = latest_run(site.engine, site.tenant.id)
    assert run
    page = site.person().get("/console/drift").text
    for measure in run.checks[0].measures:
        assert measure.name == SCORE or f"feature={measure.name}" in page
        if measure.shift.psi is not None:
            assert f"{measure.shift.psi:.3f}".rstrip("0") in page
    assert '<h2 id="one">amount</h2>' in page, "what moved most comes first"
    assert "<polyline" in page
    one = site.person().get("/console/drift?feature=type").text
    assert "TRANSFER" in one
    assert site.person().get("/console/drift?feature=nonsense").status_code == 404
    assert "Drift was not computed yet" in site.person(site.stranger).get("/console/drift").text


def test_calibration_says_when_there_are_no_labels(site: Site) -> None:
    site.decided(0.9)
    part = site.person().get("/console/drift/calibration", headers={"HX-Request": "true"}).text
    assert "There are no labels yet of decisions that are at least 30 days old" in part
    assert "<html" not in part
    assert "<html" in site.person().get("/console/drift/calibration").text


def test_calibration_counts_frauds_by_score_and_leaves_out_what_nobody_knows() -> None:
    scores = np.array([0.15, 0.15, 0.15, 0.15, 0.95, 0.95])
    is_fraud = np.array([True, False, False, False, True, True])
    weights = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    low, high = reliability(scores, is_fraud, weights, SCORE_EDGES)
    assert (low.low, low.high, low.count, low.frauds) == (0.1, 0.2, 3, 1)
    assert (low.observed, high.observed) == (1 / 3, 1.0)
    assert low.interval[0] < 1 / 3 < low.interval[1]
    assert high.interval[1] == 1.0
