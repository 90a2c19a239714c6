"""The thresholds in a browser: moved by keyboard, tried out, saved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from persistence.policies import current_policy
from persistence.tenants import set_four_eyes_policy
from tests.support.browser.chromium import browsing
from tests.support.console.site import Site
from tests.support.data.matured_decisions import (
    Past,
    fraud_model,
    labels_of,
    registered,
    some_transactions,
)
from tests.support.data.people import put_person


def test_an_administrator_moves_the_sliders_and_saves_what_was_shown(
    site: Site, tmp_path: Path
) -> None:
    past = Past(site.engine, site.tenant)
    transactions = some_transactions(1200)
    champion = registered(past, fraud_model(threshold=0.08), 2)
    past.serve(champion, transactions, is_fraud=labels_of(transactions))
    problems: list[str] = []
    with browsing(tmp_path) as page:
        site.sign_in(page, "admin", "/console/threshold")
        page.on("console", lambda message: problems.append(message.text))
        expect(page.get_by_role("table")).to_contain_text("Net savings")
        expect(page.get_by_text("These thresholds are in force already.")).to_be_visible()
        review = page.get_by_role("slider", name="Review from a score of")
        expect(review).to_have_attribute("aria-valuetext", "8 %")
        review.focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        expect(page.get_by_role("button", name="Save the thresholds")).to_be_visible()
        page.get_by_label("Reason", exact=True).fill("Fewer reviews.")
        decline = page.get_by_role("slider", name="Decline from a score of")
        expect(decline).to_have_attribute("aria-valuetext", "never")
        decline.focus()
        for _ in range(4):
            page.keyboard.press("PageDown")
        tried = page.get_by_label("Decline from a score of").first.input_value()
        expect(page).to_have_url(re.compile(rf"decline_from={tried}&"))
        moved = page.get_by_label("Review from a score of").first.input_value()
        assert 8 < float(moved) < float(tried) < 100
        expect(page.get_by_label("Reason", exact=True)).to_have_value("Fewer reviews.")
        page.reload()
        expect(page.get_by_text(f"From now on: review from {float(moved):.2f}%")).to_be_visible()
        page.get_by_label("Reason", exact=True).fill("Fewer reviews.")
        page.get_by_role("button", name="Save the thresholds").click()
        expect(page.get_by_text("The thresholds are in force.")).to_be_visible()
        expect(page.get_by_text("Chris Admin").last).to_be_visible()
    assert problems == []
    stored = current_policy(site.engine, site.tenant.id)
    assert stored
    assert stored.policy
    assert (stored.reason, stored.actor) == ("Fewer reviews.", "Chris Admin")
    assert stored.policy.threshold == pytest.approx(float(moved) / 100)
    assert stored.policy.decline_from is not None


def test_a_second_administrator_approves_what_the_first_proposed(
    site: Site, tmp_path: Path
) -> None:
    past = Past(site.engine, site.tenant)
    transactions = some_transactions(1200)
    champion = registered(past, fraud_model(threshold=0.08), 2)
    past.serve(champion, transactions, is_fraud=labels_of(transactions))
    set_four_eyes_policy(site.engine, "demo", True)
    second = put_person(site.engine, site.tenant, "Dora Admin", "admin")
    problems: list[str] = []
    with browsing(tmp_path) as page:
        site.sign_in(page, "admin", "/console/threshold")
        page.on("console", lambda message: problems.append(message.text))
        review = page.get_by_role("slider", name="Review from a score of")
        review.focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        page.get_by_label("Reason", exact=True).fill("Fewer reviews.")
        page.get_by_role("button", name="Propose the thresholds").click()
        expect(page.get_by_text("The thresholds are proposed.")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert current_policy(site.engine, site.tenant.id) is None
    with browsing(tmp_path) as page:
        site.sign_in(page, second, "/console/threshold")
        page.on("console", lambda message: problems.append(message.text))
        waiting = page.get_by_role("region", name="Waits for a second person")
        expect(waiting).to_contain_text("Proposed by Chris Admin")
        expect(waiting).to_contain_text("Net savings")
        waiting.get_by_label("Note").fill("Seen the figures.")
        waiting.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("The thresholds are in force.")).to_be_visible()
        expect(page.get_by_text("proposed by Chris Admin")).to_be_visible()
    assert problems == []
    stored = current_policy(site.engine, site.tenant.id)
    assert stored
    assert (stored.reason, stored.actor) == ("Fewer reviews.", "Dora Admin")
