"""Analysts work through the queue in a browser: by keyboard, together, and without accidents."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from persistence.decisions.rows import Decided
from persistence.review.assignments import claim
from persistence.review.cases import Feedback
from persistence.review.worklist import read_case
from tests.support.browser.chromium import browsing
from tests.support.console.site import Site
from tests.support.data.review import say

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

QUEUE = "/console/queue"


def row(page: Page, number: int) -> Locator:
    return page.locator("table.queue tbody tr").nth(number)


def verdicts(site: Site, made: list[Decided]) -> list[str]:
    """The label that counts of each decision; empty where there is none."""
    found = [feedback(site, one) for one in made]
    return [one[0].label if one else "" for one in found]


def wait_for_verdicts(site: Site, made: list[Decided], expected: list[str]) -> None:
    """Wait for what the browser sends while it leaves a page, of which it reports no reply."""
    until = time.monotonic() + 30
    while verdicts(site, made) != expected:
        assert time.monotonic() < until, verdicts(site, made)
        time.sleep(0.05)


def feedback(site: Site, decided: Decided) -> tuple[Feedback, ...]:
    return read_case(site.engine, site.tenant.id, decided.transaction_id).feedback


def test_fifty_payments_are_cleared_by_keyboard_alone(site: Site, tmp_path: Path) -> None:
    made = site.decided(*(0.06 + i / 100 for i in range(50)))
    with browsing(tmp_path) as page:
        site.sign_in(page, path=QUEUE)
        expect(page.locator("#waiting")).to_have_text("50 wait")
        for still in (50, 25):
            expect(page.locator("#waiting")).to_have_text(f"{still} wait")
            page.keyboard.press("j")
            for i in range(25):
                page.keyboard.press("f" if i % 2 else "l")
            expect(page.locator("#done a")).to_be_focused()
            page.keyboard.press("Enter")
        expect(page.get_by_text("Nothing waits for a verdict.")).to_be_visible()
    assert sorted(verdicts(site, made)) == ["confirmed_fraud"] * 24 + ["false_positive"] * 26


def test_a_verdict_can_be_undone_within_ten_seconds(site: Site, tmp_path: Path) -> None:
    made = site.decided(0.9, 0.8)
    with browsing(tmp_path) as page:
        site.sign_in(page, path=QUEUE)
        page.keyboard.press("j")
        page.keyboard.press("f")
        expect(row(page, 0)).to_contain_text("Fraud")
        expect(page.locator(".notice")).to_contain_text("Undo")
        page.keyboard.press("u")
        expect(row(page, 0).locator(".given")).to_be_empty()
        expect(row(page, 0).locator(".open")).to_be_focused()
        assert verdicts(site, made) == ["", ""]
        page.keyboard.press("l")
        page.keyboard.press("e")
        assert verdicts(site, made) == ["", ""], "the browser holds them"
        page.goto(f"{site.url}/console/settings")
        wait_for_verdicts(site, made, ["false_positive", "escalated"])
        page.goto(f"{site.url}{QUEUE}")
        expect(page.locator("#waiting")).to_have_text("1 waits")
        expect(row(page, 0)).to_contain_text("Escalated by Ana Analyst")


def test_a_held_verdict_is_sent_after_ten_seconds(site: Site, tmp_path: Path) -> None:
    made = site.decided(0.9)
    with browsing(tmp_path) as page:
        page.clock.install()
        site.sign_in(page, path=QUEUE)
        page.keyboard.press("j")
        page.keyboard.press("f")
        page.clock.run_for(9_000)
        assert verdicts(site, made) == [""]
        with page.expect_response(lambda reply: reply.url.endswith("/console/verdicts")):
            page.clock.run_for(2_000)
        expect(row(page, 0)).to_contain_text("by Ana Analyst")
        page.keyboard.press("l")
        with page.expect_response(lambda reply: reply.url.endswith("/console/verdicts")):
            page.clock.run_for(11_000)
    assert [one.label for one in feedback(site, made[0])] == ["false_positive", "confirmed_fraud"]


def test_several_are_decided_after_a_question_with_count_and_sum(
    site: Site, tmp_path: Path
) -> None:
    made = [*site.decided(0.9, 0.8, amount=100.5), *site.decided(0.7, amount=50.0)]
    with browsing(tmp_path) as page:
        site.sign_in(page, path=QUEUE)
        for key in ("j", "x", "j", "x"):
            page.keyboard.press(key)
        expect(page.locator("#chosen-count")).to_have_text("2 chosen")
        page.keyboard.press("f")
        question = page.get_by_role("dialog")
        expect(question).to_contain_text("Fraud: 2 payments?")
        expect(question).to_contain_text("Together 201.00.")
        page.keyboard.press("Escape")
        expect(question).to_be_hidden()
        page.keyboard.press("f")
        question.get_by_label("Reason").fill("One ring.")
        page.keyboard.press("Enter")
        expect(row(page, 1)).to_contain_text("Fraud")
        page.keyboard.press("u")
        expect(row(page, 1).locator(".given")).to_be_empty()
        row(page, 0).get_by_role("checkbox").check()
        row(page, 1).get_by_role("checkbox").check()
        page.get_by_role("button", name="Mark as fraud").click()
        question.get_by_role("button", name="Mark as fraud").click()
        page.reload()
        wait_for_verdicts(site, made, ["confirmed_fraud", "confirmed_fraud", ""])
        page.reload()
        expect(page.locator("#waiting")).to_have_text("1 waits")
    assert [one.rationale for one in feedback(site, made[0])] == [
        "Decided as fraud without a further reason."
    ]


def test_two_people_see_each_other_and_the_second_verdict_is_refused(
    site: Site, tmp_path: Path
) -> None:
    made = site.decided(0.9, 0.8)
    with browsing(tmp_path) as page:
        page.clock.install()
        site.sign_in(page, path=QUEUE)
        page.keyboard.press("j")
        page.clock.run_for(1_000)
        expect(row(page, 0)).to_contain_text("You are on it")
        claim(site.engine, made[1].transaction_id, site.people["senior"])
        page.clock.run_for(10_000)
        expect(row(page, 1)).to_contain_text("Bo Senior is on it")
        page.keyboard.press("j")
        page.keyboard.press("f")
        expect(page.locator(".notice")).to_contain_text("Press the key once more")
        expect(row(page, 1).locator(".given")).to_be_empty()
        page.keyboard.press("f")
        expect(row(page, 1)).to_contain_text("Fraud")
        say(site.engine, made[1], "false_positive")
        with page.expect_response(lambda reply: reply.url.endswith("/console/verdicts")):
            page.clock.run_for(10_500)
        expect(page.locator(".notice").last).to_contain_text("by analyst decided Legitimate first")
        expect(row(page, 1)).to_contain_text("Legitimate by analyst")
    assert [one.label for one in feedback(site, made[1])] == ["false_positive"]


def test_what_is_new_waits_at_the_top_and_moves_nothing(site: Site, tmp_path: Path) -> None:
    site.decided(*(0.5 + i / 100 for i in range(20)))
    with browsing(tmp_path) as page:
        page.clock.install()
        site.sign_in(page, path=QUEUE)
        where = row(page, 9).bounding_box()
        site.decided(0.99, 0.98, 0.97)
        page.clock.run_for(10_500)
        newer = page.get_by_role("link", name="3 new")
        expect(newer).to_be_visible()
        assert row(page, 9).bounding_box() == where
        newer.click()
        expect(page.locator("#waiting")).to_have_text("23 wait")
        expect(row(page, 0)).to_contain_text("99.0%")
        expect(newer).to_be_hidden()


def test_nothing_opens_or_decides_by_accident(site: Site, tmp_path: Path) -> None:
    made = site.decided(0.9, 0.8)
    with browsing(tmp_path) as page:
        site.sign_in(page, path=QUEUE)
        page.keyboard.press("f")
        expect(page.locator(".notice")).to_contain_text("Press j")
        box = row(page, 0).get_by_role("checkbox")
        box.click()
        page.keyboard.press("Enter")
        page.keyboard.press("x")
        expect(box).to_be_checked()
        row(page, 0).locator(".reason").click()
        page.keyboard.press("/")
        expect(page.get_by_label("Find an entity")).to_be_focused()
        page.keyboard.type("fleju?")
        expect(page.get_by_label("Find an entity")).to_have_value("fleju?")
        page.keyboard.press("Escape")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("undo within ten seconds")
        page.keyboard.press("f")
        page.keyboard.press("Escape")
        assert page.url == f"{site.url}{QUEUE}"
        assert verdicts(site, made) == ["", ""]
        box.uncheck()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{site.url}/console/transactions/{made[0].transaction_id}")
        page.go_back()
        expect(row(page, 0)).to_have_attribute("aria-current", "true")
