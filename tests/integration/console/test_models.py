"""The pages of the model versions: what serves, who approved it, and the approval by a person."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from console.models.versions import mlflow_page
from persistence.deployments.approvals import ApprovedVersion, approvers
from persistence.deployments.recording import record_challenger, record_promotions
from persistence.deployments.refusals import list_refusals, record_refusal
from persistence.tenants import set_four_eyes
from registry.client.base import RegisteredVersion
from registry.names import PROMOTED_AT_TAG, PROMOTED_BY_TAG
from scoring.prediction import ModelVersion
from tests.support.console.site import MLFLOW_URL, Site
from tests.support.data.matured_decisions import (
    Past,
    fraud_model,
    labels_of,
    registered,
    some_transactions,
)
from tests.support.factories import a_model
from tests.support.fixture_types import Rows

WAITS = "A second person has to approve it: POST /models/2/approve."


def waiting(site: Site, promoter: str | None = None) -> None:
    """Let version 2, which somebody promoted, wait for a second person."""
    set_four_eyes(site.engine, "demo", True)
    record_refusal(site.engine, site.tenant.id, "fraud-demo", 2, 20, WAITS, awaits_approval=True)
    tags = {PROMOTED_BY_TAG: promoter, PROMOTED_AT_TAG: "2026-01-02T10:00:00Z"} if promoter else {}
    site.registry["fraud-demo", 2] = RegisteredVersion("fraud-demo", 2, 20, tags)


def approvals(rows: Rows) -> list[dict[str, Any]]:
    return rows(
        "SELECT tenant_id, name, version, registered_ms, actor, note FROM version_approvals"
    )


def test_an_administrator_approves_and_the_version_may_serve(site: Site, rows: Rows) -> None:
    waiting(site, "somebody")
    admin = site.person("admin")
    assert "Waits for approval" in admin.get("/console/models").text
    page = admin.get("/console/models/2")
    assert "It waits until a second person approves it." in page.text
    assert "Approve version 2" in page.text
    sent = admin.submit("/console/models/2/approve", note="Compared on September.")
    assert (sent.status_code, sent.headers["location"]) == (303, "/console/models/2")
    assert approvals(rows) == [
        {
            "tenant_id": site.tenant.id,
            "name": "fraud-demo",
            "version": 2,
            "registered_ms": 20,
            "actor": "Chris Admin",
            "note": "Compared on September.",
        }
    ]
    # What the service compares versions with, and what waits.
    approved = ApprovedVersion("fraud-demo", 2, 20)
    assert approvers(site.engine)[site.tenant.id][approved] == {"Chris Admin"}
    assert list_refusals(site.engine, site.tenant.id, 10) == []
    (entry,) = rows("SELECT actor, via, object FROM audit_log WHERE action = 'approval.created'")
    assert entry == {
        "actor": "Chris Admin",
        "via": "user chris@demo.example",
        "object": "models/fraud-demo/2",
    }
    page = admin.get("/console/models/2")
    assert "Chris Admin approved it" in page.text
    assert "Compared on September." in page.text
    assert "You have approved this version." in page.text
    assert "Approve version 2" not in page.text


def test_an_approval_is_kept_once_and_needs_no_note(site: Site, rows: Rows) -> None:
    waiting(site)
    admin = site.person("admin")
    for note in ("", "Later."):
        assert admin.submit("/console/models/2/approve", note=note).status_code == 303
    assert [one["note"] for one in approvals(rows)] == [None]


@pytest.mark.parametrize("promoter", ["Chris Admin", "CHRIS@demo.example", "chris"])
def test_a_key_of_who_promoted_a_version_is_refused(site: Site, rows: Rows, promoter: str) -> None:
    waiting(site, promoter)
    admin = site.person("admin")
    issued = admin.submit("/console/settings/keys", name="nightly", scopes=["admin"], days="30")
    (key,) = set(re.findall(r"sk_[0-9a-zA-Z]+_\w{32,}", admin.get(issued.headers["location"]).text))
    reply = httpx.post(
        f"{site.url}/models/2/approve", headers={"Authorization": f"Bearer {key}"}, trust_env=False
    )
    assert reply.json()["type"].endswith("second-person-needed")
    assert approvals(rows) == []


@pytest.mark.parametrize("promoter", ["Chris Admin", "CHRIS@demo.example", "chris"])
def test_who_promoted_a_version_is_refused(site: Site, rows: Rows, promoter: str) -> None:
    waiting(site, promoter)
    refused = site.person("admin").submit("/console/models/2/approve", note="Mine.")
    assert refused.status_code == 409
    assert "You promoted version 2, so somebody else has to approve it." in refused.text
    assert approvals(rows) == []


@pytest.mark.parametrize("role", ["analyst", "senior"])
def test_only_administrators_approve(site: Site, rows: Rows, role: Any) -> None:
    waiting(site)
    person = site.person(role)
    page = person.get("/console/models/2")
    assert "Approve version" not in page.text
    assert "Administrators approve versions." in page.text
    assert person.submit("/console/models/2/approve", note="Mine.").status_code == 403
    assert approvals(rows) == []


def test_a_version_that_mlflow_lacks_is_not_approved(site: Site, rows: Rows) -> None:
    admin = site.person("admin")
    missing = admin.submit("/console/models/1/approve")
    assert missing.status_code == 404
    assert "fraud-demo has no version 1." in missing.text
    for number in ("0", str(2**31), "two"):
        assert admin.submit(f"/console/models/{number}/approve").status_code == 422
    assert approvals(rows) == []


def test_a_refusal_shows_its_reason(site: Site) -> None:
    record_refusal(site.engine, site.tenant.id, "fraud-demo", 7, 70, "calibrator.json is <missing>")
    analyst = site.person()
    for path in ("/console/models", "/console/models/7"):
        page = analyst.get(path)
        assert "calibrator.json is &lt;missing&gt;" in page.text
        assert "Refused" in page.text
    assert "has not scored any payment yet" in analyst.get("/console/models/7/pictures").text


def test_without_a_challenger_the_page_says_how_to_get_one(site: Site) -> None:
    page = site.person().get("/console/models")
    assert "No version challenges the champion." in page.text
    assert "Champion" in page.text


def test_a_challenger_without_labels_says_why_it_is_not_compared(site: Site) -> None:
    version = ModelVersion("fraud-demo", 2)
    record_challenger(site.engine, site.tenant.id, a_model(version=version), 5.0)
    analyst = site.person()
    assert "Challenger 5 %" in analyst.get("/console/models").text
    page = analyst.get("/console/models/comparison")
    assert "No decision that versions 1 and 2 both scored has matured" in page.text
    pictures = analyst.get("/console/models/2/pictures")
    assert "No decision is at least 30 days old" in pictures.text


def test_champion_and_challenger_are_compared_and_drawn(site: Site) -> None:
    past = Past(site.engine, site.tenant)
    transactions = some_transactions(1500)
    champion, challenger = (
        registered(past, fraud_model(threshold=t), v) for v, t in ((3, 0.1), (4, 0.3))
    )
    past.serve(champion, transactions, challenger, is_fraud=labels_of(transactions))
    analyst = site.person()
    part = analyst.get("/console/models/comparison", headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.text
    assert "Champion, version 3" in part.text
    assert "Net savings" in part.text
    whole = analyst.get("/console/models/comparison")
    assert part.text.split("<table", 1)[1].split("</table>")[0] in whole.text
    for number in (3, 4):
        pictures = analyst.get(f"/console/models/{number}/pictures")
        assert pictures.text.count('<svg class="chart"') == 3, number
        assert len(pictures.content) < 40_000
    earlier = analyst.get("/console/models/1/pictures")
    assert "No decision is at least 30 days old" in earlier.text


def test_another_tenant_sees_nothing_of_it(site: Site, rows: Rows) -> None:
    waiting(site)
    stranger = site.person(site.stranger)
    assert "/console/models/2" not in stranger.get("/console/models").text
    for path in ("/console/models/2", "/console/models/2/pictures"):
        assert stranger.get(path).status_code == 404
    assert stranger.submit("/console/models/2/approve").status_code == 404
    assert approvals(rows) == []


def test_a_version_leads_to_itself_in_mlflow(site: Site) -> None:
    record_promotions(site.engine, [site.tenant.id], a_model(version=ModelVersion("fraud-demo", 1)))
    person = site.person()
    models = f'href="{MLFLOW_URL}/#/models/fraud-demo'
    assert f'{models}" rel="external">fraud-demo in MLflow' in person.get("/console/models").text
    page = person.get("/console/models/1").text
    assert f'{models}/versions/1" rel="external">This version in MLflow' in page


def test_the_address_of_a_model_in_mlflow_has_its_name_as_one_part() -> None:
    assert mlflow_page(None, "fraud", 1) is None
    assert mlflow_page("https://m.example/", "a/b c", 2) == (
        "https://m.example/#/models/a%2Fb%20c/versions/2"
    )
