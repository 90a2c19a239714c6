"""The page of drift shows the latest run of the monitor, and calibration on matured labels."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np

from console.overview.folder import HourFolder
from persistence.drift.checks import check_drift, latest_run
from persistence.hourly.counts import SCORE_EDGES
from persistence.hourly.folding import GRACE, fold_hours
from scoring.evaluation.drift import SCORE
from scoring.evaluation.reliability import reliability
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from tests.support.console.site import Site
from tests.support.data.drift import decide, last_day, payments, trained
from tests.support.data.policies import set_policy
from tests.support.data.review import decide as decide_one
from tests.support.data.review import say, store
from tests.support.factories import decision_at

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


def test_the_estimate_is_shown_before_labels_come_and_compared_once_they_have(site: Site) -> None:
    part = "/console/drift/estimate"
    person = site.person()
    assert "Nothing is counted yet" in person.get(part).text
    set_policy(site.engine, site.tenant.id, Policy.at(0.05, CostModel(100.0, 0.0, 10.0)), "tests")
    now = datetime.now(UTC)
    awaited = [decide_one(site.tenant, p, amount=50.0) for p in (0.8, 0.6, 0.02)]
    matured = [decide_one(site.tenant, p, amount=50.0) for p in (0.9, 0.5, 0.5, 0.04)]
    store(site.engine, *(decision_at(one, now - timedelta(days=3)) for one in awaited))
    old = [decision_at(one, now - timedelta(days=40)) for one in matured]
    store(site.engine, *old)
    for decided, label in zip(
        old, ("confirmed_fraud", "confirmed_fraud", "false_positive"), strict=False
    ):
        say(site.engine, decided, label)
    fold_hours(site.engine, site.tenant.id, now + 2 * GRACE)
    HourFolder(site.engine).fold()
    page = person.get(part)
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
    first, second = words.split("Days before, whose labels have come")
    assert "Of 3 decisions" in first
    # 1.4 frauds of two reviews: 140 saved, and 0.6 false alarms of 10.
    for said in ("Frauds caught 1.4", "Frauds missed 0 ", "flagged 70.0%", "Money saved 134"):
        assert said in first, said
    assert "Of 4 decisions" in second
    assert re.search(r"Frauds caught 1\.9 0\.\d to 3 2 Within chance", second), second
    assert re.search(r"Money saved 179 [\d.]+ to [\d,.]+ 190 Within chance", second), second
    assert len(page.content) < 40_000
    fragment = person.get(part, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert "Nothing is counted yet" in site.person(site.stranger).get(part).text
    assert 'hx-get="/console/drift/estimate"' in person.get("/console/drift").text
