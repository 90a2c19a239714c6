"""Try rules, lists, thresholds and model versions on a tenant's stored decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, Engine

from persistence.deployments.served_versions import served_versions
from persistence.labels.past_decisions import PastDecisions, RuleInputs, read_past_decisions
from persistence.rules.changes import newest_change
from persistence.rules.checking import canonical_condition, check_list
from persistence.rules.in_force import lists_at
from persistence.rules.index import index_at
from persistence.rules.names import event_type_in_force, features_in_production
from persistence.rules.tried import (
    ListTried,
    RulesTried,
    RuleTried,
    StoredListTried,
    Tried,
    VersionTried,
)
from persistence.tenancy import tenant_transaction
from scoring.backtest.backtest import backtest
from scoring.backtest.candidates import (
    at_thresholds,
    candidate_of,
    fires_of,
    outcomes_of,
    verdicts_of,
    where_model_decided,
)
from scoring.backtest.decisions import OutcomeArray, outcomes_with_rule
from scoring.backtest.result import Backtest
from scoring.columns import BoolArray
from scoring.counted import counted
from scoring.errors import FieldError, InvalidRequest, invalid_request
from scoring.expressions.execution.program import UNKNOWN
from scoring.lists.entity_list import EntityList, ListEntry
from scoring.lists.index import ListIndex
from scoring.policy import CostModel, Thresholds
from scoring.prediction import ModelVersion
from scoring.rules.condition import lists_named
from scoring.rules.rule import Rule, RuleSet

MAX_DECISIONS = 200_000
"""Decisions that a backtest reads at most, the latest ones."""
_CANDIDATE = 2**31 - 1
"""Id of what is tried; no rule or list of a tenant gets as far."""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class History:
    """The decisions that are looked at.

    Attributes:
        maturity_days: least age of a decision, days.
        window_days: length of the span of decisions that ends at that age, days.
        as_of: time whose labels count and at which ages are reckoned.
        limit: largest number of decisions, the newest.
    """

    maturity_days: float
    window_days: float
    as_of: datetime
    limit: int = MAX_DECISIONS


@dataclass(frozen=True, slots=True)
class Tested:
    """A backtest with the decisions that it looked at.

    Attributes:
        result: figures.
        past: decisions; of a version tried, those that it scored.
        outcomes: outcomes of what was tried, index into OUTCOMES, int8 (n,).
        unknown: number of decisions for which a condition had no value. Where a window was not
            stored a single rule does not fire, and of several rules what was decided stays.
        unscored: number of decisions that the version tried did not score, which are left out.
    """

    result: Backtest
    past: PastDecisions
    outcomes: OutcomeArray
    unknown: int
    unscored: int = 0


def try_on_history(
    engine: Engine,
    tenant_id: int,
    tried: Tried,
    costs: CostModel,
    history: History,
    report: Report = lambda _: None,
) -> Tested:
    """Compare what is tried with what was decided, on a tenant's mature decisions.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions are read.
        tried: rule, rules, list, thresholds or model version.
        costs: costs of errors.
        history: decisions that are looked at.
        report: function that receives one sentence before each part of the work.

    Raises:
        InvalidRequest: what is tried does not fit the tenant's event type, the version in
            production or the lists, or the version is unknown or scored no decision; names the
            field.
        NoDecisions: there is no decision to look at.
        StoreUnavailable: Postgres is unreachable.
    """
    report("Reading the rules and lists that conditions name.")
    with tenant_transaction(engine, tenant_id) as connection:
        event_type = event_type_in_force(connection, tenant_id)
        features = features_in_production(connection, tenant_id)
        change = newest_change(connection, tenant_id)
        lists = lists_at(connection, tenant_id, change)
        rule_set, index = RuleSet(), ListIndex()
        version: ModelVersion | None = None
        match tried:
            case RuleTried():
                condition = canonical_condition(connection, tenant_id, tried.condition, "rule.")
                rule = _rule(tried, _CANDIDATE, condition)
                rule_set = RuleSet((rule,), _without_actions(lists, lists_named(rule.condition)))
            case RulesTried():
                rules = []
                for number, one in enumerate(tried.rules):
                    prefix = f"rules.{number}."
                    condition = canonical_condition(connection, tenant_id, one.condition, prefix)
                    rules.append(_rule(one, number + 1, condition))
                rule_set = RuleSet(tuple(rules), tuple(lists))
            case ListTried():
                check_list(connection, tenant_id, tried.entity, tried.action, tried.fields, "list.")
                own = EntityList(_CANDIDATE, "tried", tried.entity, tried.action, tried.fields)
                rule_set = RuleSet((), (own,))
                values = enumerate(dict.fromkeys(tried.values), 1)
                index = ListIndex().with_changes(
                    [ListEntry(number, own.id, value, "-", "-") for number, value in values]
                )
            case StoredListTried():
                stored = _named(lists, tried.name)
                check_list(
                    connection, tenant_id, stored.entity, tried.action, tried.fields, "list."
                )
                rule_set = RuleSet((), (replace(stored, action=tried.action, fields=tried.fields),))
            case VersionTried():
                version = _version_served(connection, tenant_id, tried.number)
        if rule_set.lists and not isinstance(tried, ListTried):
            index = index_at(connection, tenant_id, change)
    candidate = candidate_of(rule_set, event_type, features)
    inputs = RuleInputs(event_type, candidate.fields, candidate.features, candidate.windows)
    report("Reading the decisions.")
    past = read_past_decisions(
        engine,
        tenant_id,
        inputs,
        maturity_days=history.maturity_days,
        window_days=history.window_days,
        limit=history.limit,
        as_of=history.as_of,
        scored_by=version,
    )
    unscored = 0
    if version is not None:
        is_scored = ~np.isnan(past.version_outcomes)
        unscored = int((~is_scored).sum())
        if unscored and not is_scored.any():
            raise _not_scored(version, unscored)
        past = past.select(is_scored)
    decisions = past.decisions
    if len(decisions):
        report(f"Deciding {len(decisions):,} payments again.")
    fires: BoolArray | None = None
    unknown = 0
    if isinstance(tried, Thresholds):
        outcomes = at_thresholds(decisions, tried)
    elif isinstance(tried, VersionTried):
        outcomes = where_model_decided(decisions, past.version_outcomes.astype(np.int8))
    else:
        verdicts = verdicts_of(
            candidate, index, decisions, past.columns, past.features, past.windows
        )
        is_known = ~(verdicts.truths == UNKNOWN).any(axis=0) & past.has_windows
        unknown = int((~is_known).sum())
        if isinstance(tried, RulesTried):
            again = outcomes_of(
                verdicts, decisions.scores, past.thresholds, past.decline_thresholds
            )
            outcomes = np.where(past.has_windows, again, decisions.outcomes).astype(np.int8)
        else:
            fires = fires_of(verdicts) & past.has_windows
            outcomes = outcomes_with_rule(decisions, fires, tried.action)
    if len(decisions):
        report("Drawing the intervals.")
    result = backtest(decisions, outcomes, costs, fires)
    return Tested(result, past, outcomes, unknown, unscored)


def _named(lists: Sequence[EntityList], name: str) -> EntityList:
    for one in lists:
        if one.name == name:
            return one
    raise invalid_request([FieldError("list.name", "is not the name of a list in force")])


def _version_served(connection: Connection, tenant_id: int, number: int) -> ModelVersion:
    """Return the version of the tenant's model with a number that has served."""
    served = [one.model for one in served_versions(connection, tenant_id)]
    for version in served:
        if version.version == number:
            return version
    numbers = sorted({version.version for version in served})
    known = f"those that have are {', '.join(map(str, numbers))}" if numbers else "none has"
    message = (
        f"is {number}, a version that has not served you, in production or as challenger; {known}"
    )
    raise invalid_request([FieldError("version", message)])


def _not_scored(version: ModelVersion, decisions: int) -> InvalidRequest:
    message = (
        f"scored none of the {counted(decisions, 'decision')} that are looked at; give version "
        f"{version.version} the alias `challenger`, and it scores what comes in beside the version "
        "in production"
    )
    return invalid_request([FieldError("version", message)])


def _rule(tried: RuleTried, number: int, condition: str) -> Rule:
    return Rule(number, 1, "tried", condition, tried.action, "live", min(number, 10_000))


def _without_actions(lists: Sequence[EntityList], names: frozenset[str]) -> tuple[EntityList, ...]:
    """Return the lists that a condition names, of which nothing but it decides."""
    return tuple(replace(one, action=None, fields=None) for one in lists if one.name in names)
