"""The overview shows what is stored, of the tenant alone, over the time that the address names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from console.overview.folder import HourFolder
from persistence.actor import Actor
from persistence.decisions.writer import DecisionLog
from persistence.hourly.folding import GRACE, fold_hours
from persistence.tenants import set_locale
from scoring.policy import CostModel, Policy
from tests.support.console.site import Site
from tests.support.data.policies import set_policy
from tests.support.data.review import decide, say, store
from tests.support.factories import decision_at


def text_of(page: str) -> str:
    """The page's words, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.mark.parametrize("is_kept", [False, True])
def test_what_waits_is_shown_by_band_with_the_money_at_risk_and_leads_to_the_queue(
    site: Site, is_kept: bool
) -> None:
    decided = site.decided(0.9, 0.8, 0.2, 0.01, amount=1000.0)
    site.decided(0.9, tenant=site.other)
    say(site.engine, decided[0], "confirmed_fraud")
    if is_kept:
        fold_hours(site.engine, site.tenant.id, datetime.now(UTC) + 2 * GRACE)
    page = site.person().get("/console/overview")
    assert page.status_code == 200
    words = text_of(page.text)
    assert "High 1 1,000 at risk" in words
    assert "Medium 1 1,000 at risk" in words
    assert 'href="/console/queue?band=high"' in page.text
    assert "4 decisions since" in words
    assert "Over the 1 of 4 decisions that have a verdict or a label." in words


def test_money_saved_is_that_of_the_cost_model_in_force(site: Site) -> None:
    set_policy(site.engine, site.tenant.id, Policy.at(0.05, CostModel(100.0, 0.5, 7.0)), "tests")
    caught, alarm, missed, _ = site.decided(0.9, 0.8, 0.01, 0.02, amount=1000.0)
    say(site.engine, caught, "confirmed_fraud")
    say(site.engine, alarm, "false_positive")
    say(site.engine, missed, "confirmed_fraud")
    words = text_of(site.person().get("/console/overview").text)
    assert "1 frauds caught 1,000 in amounts 593 saved against approving everything" in words
    assert "Frauds missed 1 · 1,000 False alarms 1" in words
    assert "Over the 3 of 4 decisions" in words


def test_a_verdict_that_is_changed_changes_the_figures(site: Site) -> None:
    (decided,) = site.decided(0.9)
    for label, expected in (("confirmed_fraud", "1 frauds caught"), ("false_positive", "0 frauds")):
        say(site.engine, decided, label)
        assert expected in text_of(site.person().get("/console/overview").text)
    say(site.engine, decided, "escalated")
    words = text_of(site.person().get("/console/overview").text)
    assert "None of the 1 decisions has a verdict or a label yet." in words
    assert "High 1" in words


def test_a_range_leaves_out_what_is_older_but_not_what_waits(site: Site) -> None:
    now = datetime.now(UTC)
    for days in (0, 2, 20, 50):
        store(site.engine, decision_at(decide(site.tenant, 0.9), now - timedelta(days=days)))
    person = site.person()
    for name, count in (("24h", 1), ("7d", 2), ("30d", 3), ("all", 4)):
        words = text_of(person.get(f"/console/overview?range={name}").text)
        assert f" {count} decisions since" in words
        assert "High 4" in words
    assert person.get("/console/overview?range=5y").status_code == 422


@pytest.mark.parametrize(
    ("zone", "minutes"), [("Asia/Kolkata", 30), ("Asia/Kathmandu", 45), ("Europe/Berlin", 0)]
)
def test_seven_days_are_seven_days_in_every_zone_and_the_page_says_when_they_begin(
    site: Site, zone: str, minutes: int
) -> None:
    set_locale(site.engine, site.tenant.slug, currency=None, time_zone=zone, actor=Actor("setup"))
    now = datetime.now(UTC)
    midnight = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    first = (midnight - timedelta(days=6)).astimezone(UTC) + timedelta(minutes=minutes)
    for moment in (first - timedelta(seconds=1), first, first + timedelta(days=1)):
        store(site.engine, decision_at(decide(site.tenant, 0.9), moment))
    page = site.person().get("/console/overview").text
    assert f" 2 decisions since {first.astimezone(ZoneInfo(zone)).day} " in text_of(page)
    assert f"00:{minutes:02}" in text_of(page)
    assert ("whole hours of UTC" in page) == (minutes > 0)
    table = page.partition('id="flagged"')[2].partition("</tbody>")[0]
    assert table.count("<tr><td>") == 7, "a row a day"


def test_nothing_is_invented_for_a_tenant_without_decisions(site: Site) -> None:
    page = site.person().get("/console/overview").text
    assert "Nothing was decided yet." in page
    assert "<svg" not in page
    assert "ms" not in text_of(page).split()


def test_a_retried_payment_counts_once(site: Site) -> None:
    for _ in range(2):
        DecisionLog(site.engine).write([decide(site.tenant, 0.9, external_id="pay-1")])
    assert " 1 decisions since" in text_of(site.person().get("/console/overview").text)


def test_the_folder_keeps_the_figures_of_every_tenant(site: Site) -> None:
    old = datetime.now(UTC) - timedelta(hours=3)
    for tenant in (site.tenant, site.other):
        store(site.engine, decision_at(decide(tenant), old))
    HourFolder(site.engine).fold()
    with site.engine.begin() as connection:
        kept = connection.execute(
            text("SELECT tenant_id, sum(n) FROM decision_hours, unnest(decisions) AS n GROUP BY 1")
        )
        assert dict(kept.tuples().all()) == {site.tenant.id: 1, site.other.id: 1}


def test_the_page_is_small_also_with_every_hour_of_a_week(site: Site) -> None:
    now = datetime.now(UTC)
    store(
        site.engine,
        *(
            decision_at(decide(site.tenant, 0.9), now - timedelta(hours=hours))
            for hours in range(24 * 60)
        ),
    )
    for name in ("24h", "7d", "30d", "all"):
        assert len(site.person().get(f"/console/overview?range={name}").content) < 40_000
