"""Payments as the rules and lists in force decide them."""

from __future__ import annotations

from typing import Any

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_promotions
from persistence.rules.current import CurrentRules, read_rules
from persistence.uuid7 import unix_ms_of
from scoring.features import PAYSIM_FEATURES
from scoring.lists.index import ListIndex
from scoring.model.rules_in_force import RulesInForce
from scoring.prediction import ModelVersion
from scoring.rules.rule import RuleSet
from scoring.transaction import PAYSIM
from tests.support.console.site import Site
from tests.support.data.review import decide
from tests.support.factories import a_model

VERSION = ModelVersion("fraud-demo", 1)


def promote(site: Site) -> None:
    """Put a version in production, by whose policy decisions cost money."""
    record_promotions(site.engine, [site.tenant.id], a_model(version=VERSION))


def rules_in_force(site: Site) -> CurrentRules:
    """Return what a process of the service reads; nothing where there never was a rule."""
    found = read_rules(site.engine, site.tenant.id, None)
    return found or CurrentRules(0, RuleSet(), ListIndex())


def decided_by_rules(site: Site, score: float, **transaction: Any) -> Decided:
    """Store the decision of a payment, by the rules and lists in force now, once for its id."""
    now = rules_in_force(site)
    rules = RulesInForce(now.change, now.rule_set, now.entries).of_model(PAYSIM, PAYSIM_FEATURES)
    made = decide(site.tenant, score, VERSION, **transaction)
    prediction = rules.decide_with(
        made.transaction, made.prediction, [], unix_ms_of(made.prediction_id)
    )
    ruled = made._replace(prediction=prediction)
    (stored,) = DecisionLog(site.engine).write([ruled])
    assert isinstance(stored, Decided)
    return stored
