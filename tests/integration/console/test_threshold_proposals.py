"""Where a tenant asks for four eyes, thresholds are in force once a second person approves them."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from persistence.actor import Actor
from persistence.api_keys import issue_key
from persistence.deployments.recording import record_promotions
from persistence.people.users import User, create_user
from persistence.policies import current_policy
from persistence.tenants import set_four_eyes_policy
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from tests.support.console.site import Person, Site
from tests.support.console.threshold_page import EFFECT, matured, seen, set_policy
from tests.support.data.people import put_person
from tests.support.factories import a_model
from tests.support.fixture_types import Rows
from tests.support.stack import KEY_SECRET

PROPOSALS = "/console/threshold/proposals"
OLD = Policy.at(0.05, CostModel())


@pytest.fixture
def second(site: Site) -> User:
    """Another administrator of the tenant, which asks for four eyes and has a policy."""
    set_four_eyes_policy(site.engine, "demo", True)
    set_policy(site, OLD)
    return put_person(site.engine, site.tenant, "Dora Admin", "admin")


def propose(person: Person, review: str = "20", reason: str = "Too many.") -> httpx.Response:
    address = f"{EFFECT}?review_from={review}"
    form = {"review_from": review, "reason": reason, "seen": seen(person, address)}
    return person.submit("/console/threshold", **form)


def in_force(site: Site) -> Policy | None:
    stored = current_policy(site.engine, site.tenant.id)
    return stored.policy if stored else None


class Key:
    """A key of the tenant, over HTTP."""

    def __init__(self, site: Site, name: str, **issued: Any) -> None:
        self.site = site
        self.key = issued.get("key") or issue_key(
            site.engine, site.tenant.id, ("review", "admin"), KEY_SECRET, name=name
        )

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {"Authorization": f"Bearer {self.key}"} | headers
        return httpx.request(
            method, f"{self.site.url}{path}", json=body, headers=named, trust_env=False
        )


def test_a_save_makes_a_proposal_that_another_administrator_puts_in_force(
    site: Site, second: User, rows: Rows
) -> None:
    matured(site, 25)
    first = site.person("admin")
    page = first.get(f"{EFFECT}?review_from=20")
    assert "Propose the thresholds" in page.text
    assert "Once another administrator approves: review from 20.00%" in page.text
    for _ in range(2):  # a form may be sent twice
        sent = first.submit(
            "/console/threshold", review_from="20", reason="Too many.", seen=seen_of(page)
        )
        assert sent.status_code == 303
    assert sent.headers["location"].endswith("proposed=1")
    assert in_force(site) == OLD
    assert site.refreshed == []
    page = first.get(sent.headers["location"])
    assert "The thresholds are proposed." in page.text
    assert "You proposed it, so somebody else has to approve it." in page.text
    assert "/approve" not in page.text
    other = site.person(second)
    page = other.get("/console/threshold")
    assert "Proposed by Chris Admin" in page.text
    assert "Too many." in page.text
    assert re.search(r"Review from a score of</th>.*5.00%.*20.00%", page.text)
    figures = other.get("/console/threshold/waiting", headers={"HX-Request": "true"})
    assert figures.status_code == 200
    assert "<html" not in figures.text
    assert "Net savings" in figures.text
    assert "Proposed</th>" in figures.text
    approved = other.submit(f"{PROPOSALS}/1/approve", note="Seen the curve.")
    assert approved.status_code == 303
    assert in_force(site) == Policy(CostModel(), 0.2, 0.5)
    assert site.refreshed == [site.tenant.id]
    page = other.get(approved.headers["location"])
    assert "The thresholds are in force." in page.text
    assert "proposed by Chris Admin" in page.text
    entries = rows(
        "SELECT action, actor, object, after FROM audit_log"
        " WHERE action LIKE 'policy%' AND actor <> 'Bo Senior' ORDER BY id"
    )
    assert [(e["action"], e["actor"]) for e in entries] == [
        ("policy_proposal.created", "Chris Admin"),
        ("policy.created", "Dora Admin"),
        ("policy_proposal.changed", "Dora Admin"),
    ]
    assert {e["object"] for e in entries} == {"policy"}
    assert entries[1]["after"]["reason"] == "Too many."
    assert entries[2]["after"]["note"] == "Seen the curve."
    log = other.get("/console/audit").text
    assert "<strong>Chris Admin</strong> proposed another policy" in log
    assert "<strong>Dora Admin</strong> approved the proposed policy" in log


def seen_of(page: httpx.Response) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', page.text)
    assert found
    return found[1]


@pytest.mark.usefixtures("second")
def test_nobody_approves_what_they_proposed(site: Site) -> None:
    first = site.person("admin")
    assert propose(first).is_redirect
    refused = first.submit(f"{PROPOSALS}/1/approve")
    assert refused.status_code == 409
    assert "You proposed it, so somebody else has to approve it. Nothing changed." in refused.text
    assert in_force(site) == OLD


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("name", ["Chris Admin", "CHRIS ADMIN", "chris@demo.example", "chris"])
def test_a_key_with_the_name_of_the_person_is_the_same_person(site: Site, name: str) -> None:
    assert propose(site.person("admin")).is_redirect
    reply = Key(site, name).ask("POST", "/policy/proposals/1/approve")
    assert reply.status_code == 409
    assert reply.json()["type"].endswith("second-person-needed")
    assert Key(site, "ruth").ask("POST", "/policy/proposals/1/approve").status_code == 200


def test_a_person_does_not_approve_what_a_key_with_their_name_proposed(
    site: Site, second: User
) -> None:
    assert Key(site, "chris").ask("PUT", "/policy", {"threshold": 0.2}).status_code == 202
    assert site.person("admin").submit(f"{PROPOSALS}/1/approve").status_code == 409
    assert site.person(second).submit(f"{PROPOSALS}/1/approve").status_code == 303


def test_a_key_that_a_person_issued_in_the_console_is_that_person(site: Site, second: User) -> None:
    first = site.person("admin")
    issued = first.submit("/console/settings/keys", name="nightly", scopes=["admin"], days="30")
    shown = first.get(issued.headers["location"]).text
    (key,) = set(re.findall(r"sk_[0-9a-zA-Z]+_\w{32,}", shown))
    nightly = Key(site, "nightly", key=key)
    assert propose(first).is_redirect
    assert nightly.ask("POST", "/policy/proposals/1/approve").status_code == 409
    assert first.submit(f"{PROPOSALS}/1/refuse").is_redirect
    assert nightly.ask("PUT", "/policy", {"threshold": 0.2}).status_code == 202
    assert first.submit(f"{PROPOSALS}/2/approve").status_code == 409
    assert site.person(second).submit(f"{PROPOSALS}/2/approve").is_redirect


@pytest.mark.usefixtures("second")
def test_keys_that_one_operator_issued_are_two_people(site: Site) -> None:
    assert Key(site, "ruth").ask("PUT", "/policy", {"threshold": 0.2}).status_code == 202
    assert Key(site, "jane").ask("POST", "/policy/proposals/1/approve").status_code == 200


@pytest.mark.usefixtures("second")
def test_people_with_the_same_name_before_the_at_sign_are_two_people(site: Site) -> None:
    namesake = create_user(
        site.engine, site.tenant.id, email="chris@elsewhere.example", name="Chris Other",
        role="admin", actor=Actor("setup"),
    )  # fmt: skip
    assert propose(site.person("admin")).is_redirect
    assert site.person(namesake).submit(f"{PROPOSALS}/1/approve").is_redirect


@pytest.mark.usefixtures("second")
def test_accounts_whose_names_differ_in_case_alone_are_two_people(site: Site) -> None:
    namesake = create_user(
        site.engine, site.tenant.id, email="c@elsewhere.example", name="CHRIS admin",
        role="admin", actor=Actor("setup"),
    )  # fmt: skip
    assert propose(site.person("admin")).is_redirect
    assert site.person(namesake).submit(f"{PROPOSALS}/1/approve").is_redirect


def test_a_proposal_whose_base_changed_is_not_approved_and_gives_way(
    site: Site, second: User
) -> None:
    first, other = site.person("admin"), site.person(second)
    assert propose(first).is_redirect
    changed = Policy.at(0.4, CostModel())
    set_policy(site, changed)
    page = other.get("/console/threshold")
    assert "so it cannot be approved" in page.text
    assert f"{PROPOSALS}/1/approve" not in page.text
    refused = other.submit(f"{PROPOSALS}/1/approve")
    assert refused.status_code == 409
    assert "Another policy, or another version, came into force after" in refused.text
    reply = Key(site, "ruth").ask("POST", "/policy/proposals/1/approve")
    assert reply.json()["type"].endswith("policy-changed")
    assert "Bo Senior put another policy in force" in reply.json()["detail"]
    assert in_force(site) == changed
    assert propose(other, "30").is_redirect
    listed = Key(site, "jane").ask("GET", "/policy/proposals").json()["proposals"]
    assert [(p["id"], p["status"]) for p in listed] == [(2, "open"), (1, "replaced")]


def test_one_proposal_waits_at_a_time(site: Site, second: User, rows: Rows) -> None:
    assert propose(site.person("admin")).is_redirect
    other = site.person(second)
    page = other.get(f"{EFFECT}?review_from=30")
    assert "Approve or refuse it first" in page.text
    assert 'name="seen"' not in page.text
    (policy,) = rows("SELECT id FROM policies")
    form = {"review_from": "30", "reason": "Mine.", "seen": str(policy["id"])}
    refused = other.submit("/console/threshold", **form)
    assert refused.status_code == 409
    assert "A proposal waits for a second person, so yours was not made." in refused.text
    assert rows("SELECT count(*) FROM policy_proposals") == [{"count": 1}]


def test_a_refusal_says_who_and_why_and_is_final(site: Site, second: User) -> None:
    first, other = site.person("admin"), site.person(second)
    assert propose(first).is_redirect
    sent = other.submit(f"{PROPOSALS}/1/refuse", note="Frauds would pass.")
    assert sent.status_code == 303
    page = first.get(sent.headers["location"])
    assert "Dora Admin refused what Chris Admin proposed." in page.text
    assert "Frauds would pass." in page.text
    refused = site.person("admin").submit(f"{PROPOSALS}/1/approve")
    assert refused.status_code == 409
    assert "Somebody else decided it meanwhile." in refused.text
    assert in_force(site) == OLD
    assert propose(first).is_redirect, "the same thresholds may be proposed again"


@pytest.mark.usefixtures("second")
def test_what_a_person_took_back_nobody_refused(site: Site) -> None:
    first = site.person("admin")
    assert propose(first).is_redirect
    assert first.submit(f"{PROPOSALS}/1/refuse").is_redirect
    page = first.get("/console/threshold").text
    assert "Chris Admin took the proposal back." in page
    assert "refused what" not in page
    set_four_eyes_policy(site.engine, "demo", False)
    assert "took the proposal back" not in first.get("/console/threshold").text


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("role", ["analyst", "senior"])
def test_others_see_the_proposal_and_decide_nothing(site: Site, role: Any) -> None:
    assert propose(site.person("admin")).is_redirect
    person = site.person(role)
    page = person.get("/console/threshold")
    assert "An administrator who did not propose it approves or refuses it." in page.text
    assert PROPOSALS not in page.text
    for action in ("approve", "refuse"):
        assert person.submit(f"{PROPOSALS}/1/{action}").status_code == 403


@pytest.mark.usefixtures("second")
def test_another_tenant_finds_no_proposal(site: Site) -> None:
    assert propose(site.person("admin")).is_redirect
    stranger = site.person(site.stranger)
    for action in ("approve", "refuse"):
        assert stranger.submit(f"{PROPOSALS}/1/{action}").status_code == 404
    assert "Chris Admin" not in stranger.get("/console/threshold").text


def test_a_tenant_that_does_not_ask_saves_at_once_and_may_still_decide(
    site: Site, second: User
) -> None:
    assert propose(site.person("admin")).is_redirect
    set_four_eyes_policy(site.engine, "demo", False)
    assert site.person(second).submit(f"{PROPOSALS}/1/approve").is_redirect
    saved = propose(site.person("admin"), "30")
    assert "saved=" in saved.headers["location"]
    policy = in_force(site)
    assert policy
    assert policy.threshold == 0.3


@pytest.mark.usefixtures("second")
def test_a_change_through_the_api_is_a_proposal_too(site: Site) -> None:
    ruth, jane = Key(site, "ruth"), Key(site, "jane")
    body = {"threshold": 0.2, "explore": {"share": 0.02, "max_amount": 50.0}, "reason": "Fewer."}
    for replayed in (None, "true"):
        reply = ruth.ask("PUT", "/policy", body, **{"Idempotency-Key": "change-1"})
        assert reply.status_code == 202
        assert reply.headers["location"] == "/policy/proposals/1"
        assert reply.headers.get("idempotent-replayed") == replayed
    assert ruth.ask("PUT", "/policy", body).json()["id"] == 1, "the same change is one proposal"
    proposal = reply.json()
    assert proposal["status"] == "open"
    assert (proposal["proposed_by"], proposal["reason"]) == ("ruth", "Fewer.")
    assert (proposal["before"]["threshold"], proposal["policy"]["threshold"]) == (0.05, 0.2)
    assert proposal["policy"]["explore"] == body["explore"]
    assert ruth.ask("GET", reply.headers["location"]).json() == proposal
    waits = jane.ask("DELETE", "/policy")
    assert waits.status_code == 409
    assert waits.json()["type"].endswith("proposal-waits")
    assert "Proposal 1 of ruth waits" in waits.json()["detail"]
    assert ruth.ask("GET", "/policy").json()["threshold"] == 0.05
    own = ruth.ask("POST", "/policy/proposals/1/approve", {"note": "Mine."})
    assert own.json()["type"].endswith("second-person-needed")
    for _ in range(2):  # a repeated approval changes nothing
        approved = jane.ask("POST", "/policy/proposals/1/approve", {"note": "As agreed."})
        assert approved.status_code == 200
        assert approved.json()["status"] == "approved"
    policy = ruth.ask("GET", "/policy").json()
    assert (policy["threshold"], policy["actor"]) == (0.2, "jane")
    assert policy["id"] == approved.json()["policy_id"]
    decided = ruth.ask("POST", "/policy/proposals/1/refuse")
    assert decided.json()["type"].endswith("proposal-decided")
    assert ruth.ask("PUT", "/policy", {"threshold": 0.2}).status_code == 200, "nothing changes"


def test_the_withdrawal_of_a_policy_needs_a_second_person(site: Site, second: User) -> None:
    site.decided(0.2)
    ruth = Key(site, "ruth")
    reply = ruth.ask("DELETE", "/policy")
    assert reply.status_code == 202
    assert reply.json()["policy"] is None
    other = site.person(second)
    assert "It ends your own policy" in other.get("/console/threshold").text
    assert other.submit(f"{PROPOSALS}/1/approve").is_redirect
    assert in_force(site) is None
    assert ruth.ask("GET", "/policy").json()["source"] == "model"


def test_a_withdrawal_is_not_approved_once_another_version_is_in_production(
    site: Site, second: User
) -> None:
    ruth = Key(site, "ruth")
    assert ruth.ask("DELETE", "/policy").status_code == 202
    promoted = a_model(version=ModelVersion("fraud-demo", 2))
    record_promotions(site.engine, [site.tenant.id], promoted)
    other = site.person(second)
    assert "so it cannot be approved" in other.get("/console/threshold").text
    assert other.submit(f"{PROPOSALS}/1/approve").status_code == 409
    reply = Key(site, "jane").ask("POST", "/policy/proposals/1/approve")
    assert reply.json()["type"].endswith("policy-changed")
    assert "Another version, with other thresholds" in reply.json()["detail"]
    assert in_force(site) == OLD
    assert ruth.ask("DELETE", "/policy").json()["id"] == 2, "it is proposed on that version"


@pytest.mark.usefixtures("second")
def test_the_same_change_for_another_reason_is_not_the_same_proposal(site: Site) -> None:
    ruth = Key(site, "ruth")
    assert ruth.ask("PUT", "/policy", {"threshold": 0.2, "reason": "Fewer."}).status_code == 202
    other = ruth.ask("PUT", "/policy", {"threshold": 0.2, "reason": "More."})
    assert other.json()["type"].endswith("proposal-waits")


def test_the_page_with_a_proposal_is_small_and_in_german_too(site: Site, second: User) -> None:
    matured(site, 25)
    assert propose(site.person("admin")).is_redirect
    other = site.person(second)
    other.submit("/console/settings/language", language="de")
    page = other.get("/console/threshold")
    assert "Wartet auf eine zweite Person" in page.text
    assert len(page.content) < 40_000


def test_the_overview_of_the_second_person_names_what_waits(site: Site, second: User) -> None:
    site.decided(0.9)
    propose(site.person("admin"))
    said = "A change of the thresholds that Chris Admin proposed waits"
    assert said in site.person(second).get("/console/overview").text
    assert said not in site.person("admin").get("/console/overview").text
    assert said not in site.person("analyst").get("/console/overview").text


def test_a_page_without_matured_decisions_leads_to_younger_ones(site: Site, second: User) -> None:
    page = site.person(second).get(EFFECT).text
    assert 'href="?maturity_days=4&amp;window_days=90"' in page
