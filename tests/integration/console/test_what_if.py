"""The page of a transaction says what would have had to differ, by the version that scored it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from persistence.decisions.rows import Decided
from persistence.deployments.recording import record_promotions
from scoring.counterfactual import smallest_changes
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from scoring.rules.ruling import Ruling
from scoring.rules.verdict import DecidedBy, Verdict
from tests.support.console.site import Site
from tests.support.console.transaction_page import page_of, part, store, text_of
from tests.support.data.review import decide
from tests.support.factories import a_model


def scored(site: Site, threshold: float = 0.25, **transaction: Any) -> tuple[Decided, FraudModel]:
    """A stored decision that a model in the memory of the process made, and the model."""
    version = ModelVersion("fraud-demo", 1)
    model = a_model(threshold=threshold, version=version).as_served()
    record_promotions(site.engine, [site.tenant.id], model)
    site.models["fraud-demo", 1] = model
    decided = decide(site.tenant, 0.2, version, **transaction)
    (prediction,) = model.predict([decided.transaction])
    decided = decided._replace(prediction=prediction)
    store(site, decided)
    return decided, model


def what_if(page: str) -> str:
    return text_of(part(page, 'id="what-if">'))


def test_what_would_have_had_to_differ_is_stated_with_its_score_and_outcome(site: Site) -> None:
    decided, model = scored(site)
    assert decided.prediction.decision == "review"
    found = smallest_changes(model, decided.prediction)
    assert isinstance(found, list)
    assert found
    shown = what_if(page_of(site, decided))
    assert "give the model a milder outcome" in shown
    assert "One feature changed, all others held" in shown
    for change in found:
        assert change.after[0] in html.unescape(shown)
        assert f"at a score of {change.score:.1%}" in shown
    assert shown.count("Approved") == len(found)


def test_an_approval_says_what_would_have_been_stricter_or_that_nothing_is(site: Site) -> None:
    decided, _ = scored(site, threshold=0.9)
    assert decided.prediction.decision == "approve"
    assert "a stricter outcome" in what_if(page_of(site, decided))


def test_a_version_that_is_not_loaded_is_named_and_no_other_takes_its_place(site: Site) -> None:
    decided, model = scored(site)
    site.models.clear()
    site.models["fraud-demo", 2] = model
    assert "fraud-demo 1, which scored it, is not loaded here." in what_if(page_of(site, decided))
    site.models["fraud-demo", 1] = a_model(
        seed=5, version=ModelVersion("fraud-demo", 1)
    ).as_served()
    assert "does not give the stored score" in what_if(page_of(site, decided))


def test_where_a_rule_or_a_list_decided_the_model_did_not(site: Site) -> None:
    decided, _ = scored(site)
    for kind, sentence in (("rule", "A rule decided."), ("list_entry", "A list decided.")):
        other = decide(site.tenant)
        verdict = Verdict("decline", DecidedBy(kind, 1, 1))  # type: ignore[arg-type]
        prediction = decided.prediction.ruled(Ruling(4, verdict))
        other = other._replace(prediction=prediction)
        store(site, other)
        shown = what_if(page_of(site, other))
        assert f"{sentence} The model's probability did not decide" in html.unescape(shown)


def test_changes_of_an_approval_by_chance_start_from_the_review(site: Site) -> None:
    decided, _ = scored(site)
    prediction = decided.prediction._replace(decision="approve", approval_probability=0.02)
    by_chance = decide(site.tenant)._replace(prediction=prediction, transaction=decided.transaction)
    store(site, by_chance)
    shown = what_if(page_of(site, by_chance))
    assert "chance approved it" in shown
    assert "give the model a milder outcome" in shown


def test_a_large_version_is_searched_when_a_person_asks(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided, _ = scored(site)
    monkeypatch.setattr("console.transaction.what_if.MAX_WORK", 10)
    page = page_of(site, decided)
    assert "takes a moment" in what_if(page)
    (link,) = re.findall(r'href="([^"]+)">Search now', page)
    assert link == f"/console/transactions/{decided.transaction_id}?what_if=true#what-if"
    reply = site.person().get(link)
    assert "give the model a milder outcome" in what_if(reply.text)


def test_a_version_that_is_too_large_is_not_searched_even_when_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided, _ = scored(site)
    monkeypatch.setattr("console.transaction.what_if.MAX_ASKED_WORK", 10)
    reply = site.person().get(f"/console/transactions/{decided.transaction_id}?what_if=true")
    assert "too large to be searched" in what_if(reply.text)
