"""The page of the thresholds: its figures are those of GET /tuner, and a save is audited."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from persistence.api_keys import issue_key
from persistence.policies import current_policy
from scoring.policy import CostModel, Policy
from tests.support.console.site import Site
from tests.support.console.threshold_page import EFFECT, matured, seen, set_policy
from tests.support.fixture_types import Rows
from tests.support.stack import KEY_SECRET


def tuner(site: Site) -> dict[str, Any]:
    key = issue_key(site.engine, site.tenant.id, ("review",), KEY_SECRET)
    headers = {"Authorization": f"Bearer {key}"}
    reply = httpx.get(f"{site.url}/tuner", headers=headers, trust_env=False)
    body: dict[str, Any] = reply.json()
    return body


def figures(page: httpx.Response) -> list[list[float]]:
    """Return the numbers of the table, row by row."""
    assert page.status_code == 200, page.text
    rows = re.findall(r'<th scope="row">.*?</tr>', page.text, re.DOTALL)
    return [[float(v) for v in re.findall(r'<data value="([^"]+)"', row)] for row in rows]


def numbers(pair: dict[str, Any]) -> list[float]:
    """Return the figures of GET /tuner in the order of the table."""
    names = "reviews_per_day declines_per_day caught missed false_alarms false_declines net_savings"
    return [pair[name] for name in names.split()]


def test_the_figures_are_those_of_the_tuner(site: Site) -> None:
    matured(site, 25)
    set_policy(site, Policy(CostModel(100.0, 0.1, 7.0, 30.0), 0.3, 0.5, None, 0.9))
    analyst = site.person()
    reply = tuner(site)
    shown = figures(analyst.get(EFFECT))
    assert [row[0] for row in shown] == pytest.approx(numbers(reply["pairs"]["current"]))
    best = reply["pairs"]["best"]
    tried = {"review_from": f"{best['threshold'] * 100:.12g}", "decline_from": ""}
    assert best["decline_from"] is None
    before, after, change = zip(*figures(analyst.get(EFFECT, params=tried)), strict=True)
    assert before == pytest.approx(numbers(reply["pairs"]["current"]))
    assert after == pytest.approx(numbers(best))
    assert change == pytest.approx([b - a for a, b in zip(before, after, strict=True)])


def test_the_page_asks_for_the_figures_and_works_without_scripts_too(site: Site) -> None:
    matured(site, 25)
    analyst = site.person()
    page = analyst.get("/console/threshold?review_from=20")
    asked = re.search(r'hx-get="(/console/threshold/effect\?[^"]+)" hx-trigger="load"', page.text)
    assert asked
    address = asked[1].replace("&amp;", "&")
    assert "review_from=20" in address
    part = analyst.get(address, headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert part.headers["hx-replace-url"].startswith("/console/threshold?review_from=20&")
    whole = analyst.get(address)
    assert "<html" in whole.text
    assert figures(part) == figures(whole)


def test_few_frauds_have_figures_without_intervals(site: Site) -> None:
    matured(site, 5)
    page = site.person().get(f"{EFFECT}?review_from=20")
    assert len(figures(page)) == 7
    assert "With fewer than 20 frauds there are no intervals" in page.text


@pytest.mark.parametrize("frauds", [None, 0])
def test_without_labels_the_page_says_what_it_needs_and_still_saves(
    site: Site, frauds: int | None
) -> None:
    if frauds is not None:
        matured(site, frauds)
    admin = site.person("admin")
    page = admin.get(f"{EFFECT}?review_from=20")
    wanted = "No decision is at least 30 days old" if frauds is None else "None of the 57 decisions"
    assert wanted in page.text
    saved = admin.submit(
        "/console/threshold", review_from="20", reason="A new start.",
        seen=seen(admin, f"{EFFECT}?review_from=20"),
    )  # fmt: skip
    assert saved.status_code == 303
    stored = current_policy(site.engine, site.tenant.id)
    assert stored
    assert stored.policy == Policy(CostModel(), 0.2, 0.5)


def test_a_save_is_in_force_and_audited_with_the_person_and_the_reason(
    site: Site, rows: Rows
) -> None:
    admin = site.person("admin")
    form = {"review_from": "60", "decline_from": "85.5", "reason": "Too many false alarms."}
    sent = form | {"seen": seen(admin, f"{EFFECT}?review_from=60&decline_from=85.5")}
    for _ in range(2):  # a form may be sent twice
        saved = admin.submit("/console/threshold", **sent)
        assert saved.status_code == 303
    stored = current_policy(site.engine, site.tenant.id)
    assert stored
    assert stored.policy == Policy(CostModel(), 0.6, 0.6, None, 0.855)
    assert site.refreshed == [site.tenant.id] * 2
    (entry,) = rows("SELECT actor, via, after FROM audit_log WHERE action = 'policy.created'")
    assert (entry["actor"], entry["via"]) == ("Chris Admin", "user chris@demo.example")
    assert entry["after"]["reason"] == "Too many false alarms."
    assert entry["after"]["policy"]["threshold"] == 0.6
    page = admin.get(saved.headers["location"])
    assert "The thresholds are in force." in page.text
    assert "Too many false alarms." in page.text
    assert "Chris Admin" in page.text


def test_a_policy_that_changed_meanwhile_is_not_overwritten(site: Site, rows: Rows) -> None:
    admin = site.person("admin")
    address = f"{EFFECT}?review_from=20"
    before = seen(admin, address)
    set_policy(site, Policy.at(0.4, CostModel()))
    form = {"review_from": "20", "reason": "More."}
    refused = admin.submit("/console/threshold", **form, seen=before)
    assert refused.status_code == 409
    assert "Meanwhile Bo Senior changed the policy" in refused.text
    assert 'value="20"' in refused.text
    assert 'value="More."' in refused.text
    assert rows("SELECT count(*) FROM policies") == [{"count": 1}]
    assert site.refreshed == []
    again = re.search(r'name="seen" value="([^"]*)"', refused.text)
    assert again
    assert admin.submit("/console/threshold", **form, seen=again[1]).status_code == 303


def test_a_promotion_meanwhile_changes_the_policy_too(site: Site) -> None:
    admin = site.person("admin")
    form = {"review_from": "20", "reason": "More.", "seen": "fraud-demo/9"}
    assert admin.submit("/console/threshold", **form).status_code == 409


@pytest.mark.parametrize(
    ("review", "decline", "sentence"),
    [
        ("0", "", "Must be a number above 0 and below 100."),
        ("100", "", "Must be a number above 0 and below 100."),
        ("nan", "", "Must be a number above 0 and below 100."),
        ("many", "", "Must be a number above 0 and below 100."),
        ("20", "19", "Must be at least the score from which payments are reviewed."),
        ("20", "1e9", "Must be a number above 0 and below 100."),
    ],
)
def test_thresholds_that_are_not_valid_say_why_and_cannot_be_saved(
    site: Site, rows: Rows, review: str, decline: str, sentence: str
) -> None:
    admin = site.person("admin")
    tried = {"review_from": review, "decline_from": decline}
    page = admin.get(EFFECT, params=tried)
    assert page.status_code == 200
    assert sentence in page.text
    assert 'name="seen"' not in page.text
    sent = admin.submit("/console/threshold", **tried, reason="So.", seen="fraud-demo/1")
    assert sent.status_code == 422
    assert rows("SELECT count(*) FROM policies") == [{"count": 0}]


def test_a_save_needs_a_reason(site: Site, rows: Rows) -> None:
    admin = site.person("admin")
    form = {"review_from": "20", "seen": seen(admin, f"{EFFECT}?review_from=20")}
    refused = admin.submit("/console/threshold", **form, reason="")
    assert refused.status_code == 422
    assert "Say why. The thresholds were not saved." in refused.text
    assert rows("SELECT count(*) FROM policies") == [{"count": 0}]


@pytest.mark.parametrize("role", ["analyst", "senior"])
def test_only_administrators_save(site: Site, rows: Rows, role: Any) -> None:
    person = site.person(role)
    page = person.get(f"{EFFECT}?review_from=20")
    assert "Administrators put thresholds in force." in page.text
    assert "Save the thresholds" not in page.text
    form = {"review_from": "20", "reason": "Mine.", "seen": "fraud-demo/1"}
    assert person.submit("/console/threshold", **form).status_code == 403
    assert rows("SELECT count(*) FROM policies") == [{"count": 0}]


def test_a_field_that_is_left_alone_keeps_the_threshold_to_the_last_digit(site: Site) -> None:
    exact = 0.004975124378109453
    set_policy(site, Policy.at(exact, CostModel()))
    admin = site.person("admin")
    address = f"{EFFECT}?review_from=0.4975&decline_from=70"
    form = {"review_from": "0.4975", "decline_from": "70", "reason": "Declines."}
    assert admin.submit("/console/threshold", **form, seen=seen(admin, address)).is_redirect
    stored = current_policy(site.engine, site.tenant.id)
    assert stored
    assert stored.policy
    assert (stored.policy.threshold, stored.policy.decline_from) == (exact, 0.7)


def test_another_tenant_sees_nothing_of_it(site: Site) -> None:
    matured(site, 25)
    set_policy(site, Policy.at(0.4242, CostModel()))
    stranger = site.person(site.stranger)
    page = stranger.get(EFFECT)
    assert "42.42" not in page.text
    assert "Bo Senior" not in page.text
    assert "No decision is at least 30 days old" in page.text
    form = {"review_from": "20", "reason": "Mine."}
    address = f"{EFFECT}?review_from=20"
    assert stranger.submit("/console/threshold", **form, seen=seen(stranger, address)).is_redirect
    stored = current_policy(site.engine, site.tenant.id)
    assert stored
    assert stored.policy == Policy.at(0.4242, CostModel())
    assert site.refreshed == [site.other.id]


def test_the_page_is_small_and_in_german_too(site: Site) -> None:
    matured(site, 25)
    analyst = site.person()
    analyst.submit("/console/settings/language", language="de")
    page = analyst.get(f"{EFFECT}?review_from=20")
    assert "Andere Schwellen versuchen" in page.text
    assert len(page.content) < 40_000
