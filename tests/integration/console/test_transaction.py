"""The page of a transaction shows what is stored, and nothing of another tenant."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import pytest

from persistence.actor import Actor
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_promotions
from persistence.review.worklist import read_case
from persistence.rules.entries import read_entries
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import new_ids
from scoring.event_type.validation import EventValidator
from scoring.prediction import ModelVersion
from scoring.rules.ruling import Ruling
from scoring.rules.verdict import DecidedBy, EntryMatch, Verdict
from tests.support.console.site import Site
from tests.support.console.transaction_page import page_of, part, store, text_of
from tests.support.data.own_events import label, put_in_force
from tests.support.data.people import assign
from tests.support.data.review import decide, say
from tests.support.data.rules import put_list, put_rule
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.factories import decision_at
from tests.support.own_models import a_model_of, features_of

NOW = datetime.now(UTC)


def test_the_waterfall_adds_up_to_the_margin_that_is_stored(site: Site) -> None:
    decided = decide(site.tenant, 0.2)
    contributions = [0.003, -2.5, 1.25, 0.0, 0.7, -0.001, 0.4, 0.2, -0.3, 0.11, 0.0004]
    prediction = decided.prediction._replace(
        contributions=contributions,
        margin=decided.prediction.base_value + math.fsum(contributions),
    )
    store(site, decided._replace(prediction=prediction))
    page = page_of(site, decided)
    base, *steps, margin = map(
        float, re.findall(r'<data value="([^"]+)"', part(page, "From the average payment"))
    )
    stored = read_case(site.engine, site.tenant.id, decided.transaction_id).decided.prediction
    assert (base, margin) == (stored.base_value, stored.margin)
    assert math.isclose(base + sum(steps), margin)
    assert len(steps) == 8, "the four smallest features are one step"
    assert "4 smaller features" in page
    values = re.findall(r'<data value="([^"]+)"', part(page, "What the model saw"))
    assert list(map(float, values)) == list(stored.contributions)


def test_the_decision_is_shown_as_it_was_made(site: Site) -> None:
    (decided,) = site.decided(0.2, external_id="pay-1")
    page = text_of(page_of(site, decided))
    for shown in (
        f"Transaction {decided.transaction.amount:,.2f} pay-1",
        "20.0% Medium In review",
        "The score is at or above the threshold for a review.",
        "review from 5.00% as scored",
        "fraud-demo 1",
        "Calibration turns 28.6% into the score of 20.0%.",
        "nameOrig C1305486145",
        "181,250.75",
    ):
        assert shown in page, shown


def test_what_decided_is_named_with_its_rules_and_lists(site: Site) -> None:
    rule = put_rule(site.engine, site.tenant.id, name="Large & odd", action="decline").rule
    shadow = put_rule(site.engine, site.tenant.id, name="Tried out", state="shadow").rule
    put_list(site.engine, site.tenant.id, "blocked", ["C1305486145"])
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        (entry,) = read_entries(connection, site.tenant.id, "blocked", limit=9).entries
    verdict = Verdict(
        "decline",
        DecidedBy("rule", rule.id, rule.version),
        entries=(EntryMatch(1, entry.id, "nameOrig"),),
        fired=(rule.key,),
        shadow=(shadow.key,),
    )
    by_rule, by_list = decide(site.tenant, 0.01), decide(site.tenant, 0.02)
    by_rule = by_rule._replace(prediction=by_rule.prediction.ruled(Ruling(4, verdict)))
    listed = verdict._replace(decided_by=DecidedBy("list_entry", entry.id))
    by_list = by_list._replace(prediction=by_list.prediction.ruled(Ruling(4, listed)))
    store(site, by_rule, by_list)
    page = page_of(site, by_rule)
    assert "Decided by the rule Large &amp; odd version 1" in text_of(page)
    rules = part(page, "<h2>Rules</h2>")
    assert f'<a href="/console/rules/{rule.id}">Large &amp; odd</a>' in rules
    assert f'<a href="/console/rules/{shadow.id}">Tried out</a>' in rules.split("in shadow")[1]
    assert '<a href="/console/lists/blocked">blocked</a>' in rules
    assert "Decided by the list blocked : C1305486145 , chargebacks (ana)" in text_of(
        page_of(site, by_list)
    )


def test_a_payment_that_was_sent_again_is_shown_once(site: Site) -> None:
    first = decide(site.tenant, 0.2, external_id="pay-1", amount=40.0, name_orig="C7")
    again = decide(site.tenant, 0.2, external_id="pay-1", amount=40.0, name_orig="C7")
    log = DecisionLog(site.engine)
    assert log.write([first]) == [first]
    assert log.write([again])[0].transaction_id == first.transaction_id
    history = part(page_of(site, first), "History of its entities")
    assert "1 payment<" in history
    assert history.count("This payment") == 3, "once for each entity, and in the legend"
    profile = text_of(site.person().get("/console/entities/account/C7").text)
    assert "In all 1 40 1 0 0" in profile
    lost = site.person().get(f"/console/transactions/{again.transaction_id}")
    assert lost.status_code == 404


def test_the_verdict_form_names_the_latest_feedback_that_was_seen(site: Site) -> None:
    (decided,) = site.decided(0.2)
    form = part(page_of(site, decided), 'id="verdict"')
    assert 'name="seen" value=""' in form
    say(site.engine, decided, "escalated", "Somebody else looks.")
    say(site.engine, decided, "confirmed_fraud", "The customer denied it.")
    latest, earlier = read_case(site.engine, site.tenant.id, decided.transaction_id).feedback
    page = page_of(site, decided)
    form = part(page, 'id="verdict"')
    assert f'name="seen" value="{latest.id}"' in form
    assert f'action="/console/transactions/{decided.transaction_id}/verdict"' in form
    labels = re.findall(r'name="label" value="(\w+)"', form)
    assert labels == ["confirmed_fraud", "false_positive", "escalated"]
    assert "The customer denied it." in text_of(form)
    said = text_of(part(page, "Verdicts and labels"))
    assert said.count("The customer denied it.") == said.count(earlier.rationale) == 1
    assert said.count("analyst") == 2, "feedback is not repeated as a label"


def test_after_a_verdict_the_page_leads_on_to_the_queue(site: Site) -> None:
    (decided,) = site.decided(0.2)
    assert "Go on in the queue" not in page_of(site, decided)
    say(site.engine, decided, "confirmed_fraud")
    onward = part(page_of(site, decided), 'id="verdict"')
    assert re.search(r'<a href="/console/queue">Go on in the queue</a>', onward)


def test_labels_are_shown_with_their_sources(site: Site) -> None:
    (decided,) = site.decided(0.2)
    label(site.engine, site.tenant.id, decided.transaction_id, "fraud", NOW, source="customer")
    said = text_of(part(page_of(site, decided), "Verdicts and labels"))
    assert "Fraud Customer someone" in said


def test_history_and_the_usual_range_are_those_around_an_old_payment(site: Site) -> None:
    made = []
    for i in range(40):
        one = decide(site.tenant, 0.01, name_orig="C7", name_dest=f"M{i}", amount=100.0 + i)
        features = [float(i)] * len(one.prediction.features)
        one = one._replace(prediction=one.prediction._replace(features=features))
        made.append(decision_at(one, NOW - timedelta(hours=50 - i)))
    store(site, *made)
    page = page_of(site, made[20])
    assert "40 payments" in page
    assert "Compared with 20 payments of this payer just before" in page
    assert "0 \N{EN DASH} 19 outside" in text_of(part(page, "What the model saw"))
    listed = re.findall(
        r'href="/console/transactions/([0-9a-f-]+)"', part(page, "History of its", "nameDest")
    )
    assert listed == [str(made[i].transaction_id) for i in (22, 21, 19, 18)]
    similar = text_of(part(page, "Similar payments"))
    assert "119.00" in similar and "121.00" in similar and "120.00" not in similar  # noqa: PT018


def test_a_chart_holds_every_fraud_that_is_known(site: Site) -> None:
    *_, last = site.decided(0.9, 0.2, 0.8, name_orig="C7", name_dest="C8")
    say(site.engine, last, "confirmed_fraud")
    history = part(page_of(site, last), "History of its entities")
    assert "A chart of the scores of 3 payments" in history
    assert history.count("known frauds: 1.") == 2


def test_reading_is_logged_and_only_administrators_see_who_read(site: Site) -> None:
    (decided,) = site.decided(0.2)
    say(site.engine, decided, "false_positive")
    assert "latest reading" not in page_of(site, decided)
    page = text_of(part(page_of(site, decided, "admin"), "<h2>Audit</h2>"))
    assert "feedback.created false_positive" in page
    assert "2 latest readings" in page
    assert "Ana Analyst" in page


def test_another_tenant_finds_no_transaction(site: Site) -> None:
    (decided,) = site.decided(0.2, external_id="pay-1")
    stranger = site.person(site.stranger)
    reply = stranger.get(f"/console/transactions/{decided.transaction_id}")
    assert reply.status_code == 404
    assert "pay-1" not in reply.text


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_is_small_and_runs_nothing_inline(site: Site, language: str) -> None:
    many = site.decided(*[i / 200 for i in range(120)], name_orig="C7", name_dest="C8")
    for one in many[:10]:
        say(site.engine, one, "confirmed_fraud", "A long reason. " * 20)
    put_list(site.engine, site.tenant.id)
    person = site.person("admin")
    person.cookies.set("sentinel_language", language)
    page = person.get(f"/console/transactions/{many[60].transaction_id}").text
    assert len(page.encode()) < 40_000
    assert " style=" not in page
    assert "<style" not in page
    assert ("Wasserfall" in page or "Merkmal" in page) == (language == "de")


def test_a_stranger_to_the_audit_log_still_reads_the_page(site: Site) -> None:
    (decided,) = site.decided(0.2)
    case = read_case(site.engine, site.tenant.id, decided.transaction_id, reader=Actor("a & b"))
    assert case.undecided
    assert "a &amp; b" in page_of(site, decided, "admin")


def test_a_model_with_many_features_and_an_event_with_many_entities_fit(site: Site) -> None:
    extra = {
        name: {"kind": "entity", "entity": name.lower(), "optional": True}
        for name in ("DEVICE", "ADDRESS")
    }
    event_type = an_event_type(**extra)
    stored = put_in_force(site.engine, site.tenant, event_type)
    names = {f"amount_over_the_usual_amount_{i}": f"TX_AMOUNT / {i + 1}" for i in range(41)}
    model = a_model_of(
        features_of(names, event_type), version=ModelVersion("fraud-demo", 2)
    ).as_served()
    record_promotions(site.engine, [site.tenant.id], model)
    validator = EventValidator(event_type, stored.id)
    events = [
        validator.validate(
            an_event(DEVICE="device-17", ADDRESS="192.0.2.17", TX_AMOUNT=50.0 + i), NOW_US
        )
        for i in range(60)
    ]
    predictions = model.predict(events)
    made = [
        Decided(site.tenant.id, *ids, event, prediction, latency_ms=1.0)
        for ids, event, prediction in zip(new_ids(60), events, predictions, strict=True)
    ]
    assert DecisionLog(site.engine).write(made) == made
    for name in ("customer", "terminal", "device", "address"):
        put_list(site.engine, site.tenant.id, f"blocked-{name}", entity=name)
        put_list(site.engine, site.tenant.id, f"trusted-{name}", entity=name, action="approve")
    page = page_of(site, made[40], "admin")
    assert len(page.encode()) < 40_000
    assert len(re.findall(r'<data value="([^"]+)"', part(page, "What the model saw"))) == 41
    assert "ADDRESS 192.0.2.17" in text_of(page)


def test_whoever_opens_what_waits_holds_it_and_the_next_person_is_told(site: Site) -> None:
    (decided,) = site.decided(0.9)
    path = f"/console/transactions/{decided.transaction_id}"
    assert "is looking at this too" not in site.person("analyst").get(path).text
    assert "Ana Analyst is looking at this too." in site.person("senior").get(path).text


def test_a_transaction_that_was_assigned_and_is_in_a_case_has_its_page(site: Site) -> None:
    (decided,) = site.decided(0.9)
    transaction_id = decided.transaction_id
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        assign(connection, site.people["senior"], transaction_id)
    person = site.person("admin")
    person.submit("/console/cases/new", title="A ring", priority="high", transaction=transaction_id)
    page = person.get(f"/console/transactions/{transaction_id}")
    assert page.status_code == 200
    assert "assignment" in page.text, "the audit entry is shown"
