"""What a candidate decides on stored decisions: rules, a list, thresholds or a model version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scoring.backtest.decisions import MODEL, OutcomeArray, StoredDecisions
from scoring.columns import BoolArray, Columns, FloatArray
from scoring.event_type.fields import EventType
from scoring.expressions.nodes import FeatureValue, ValueKind
from scoring.lists.index import ListIndex
from scoring.policy import OUTCOMES, Thresholds
from scoring.rules.batch_decider import ScoredPayments, Verdicts, decide_all
from scoring.rules.compiled import CompiledRules, compile_rules
from scoring.rules.rule import RuleSet


@dataclass(frozen=True, slots=True)
class Candidate:
    """Rules and lists that are tried, compiled for what stored decisions have.

    Attributes:
        rules: compiled rules.
    """

    rules: CompiledRules

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that are read."""
        return self.rules.fields

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that are read."""
        return self.rules.features

    @property
    def windows(self) -> tuple[str, ...]:
        """Canonical texts of the windows that are read."""
        return self.rules.window_texts


def candidate_of(
    rule_set: RuleSet, event_type: EventType, features: Mapping[str, ValueKind]
) -> Candidate:
    """Return rules and lists compiled for stored decisions, with the features that they read.

    Args:
        rule_set: rules, lists and snoozes.
        event_type: event type of the payments.
        features: kind of each feature of the version in production by name.
    """
    compiled = compile_rules(rule_set, event_type, features)
    read = {answer.name for answer in compiled.answers if isinstance(answer, FeatureValue)}
    needed = {name: kind for name, kind in features.items() if name in read}
    return Candidate(compile_rules(rule_set, event_type, needed))


def verdicts_of(
    candidate: Candidate,
    index: ListIndex,
    decisions: StoredDecisions,
    columns: Columns,
    features: FloatArray,
    windows: Sequence[FloatArray],
) -> Verdicts:
    """Return what a candidate decides on n stored decisions, but for the model's part.

    The model's outcomes depend on the policy of each decision: see `outcomes_of`.

    Args:
        candidate: rules and lists.
        index: entries of the lists.
        decisions: decisions.
        columns: columns of `candidate.fields`.
        features: values of `candidate.features`, float64 (n, features).
        windows: values of `candidate.windows`, float64 (n,) each.
    """
    payments = ScoredPayments(columns, decisions.scores, features, windows, decisions.decided_at_ms)
    return decide_all(candidate.rules, payments, index, _ANY_THRESHOLDS)


_ANY_THRESHOLDS = Thresholds(0.5)


def outcomes_of(
    verdicts: Verdicts, scores: FloatArray, review: FloatArray, decline: FloatArray
) -> OutcomeArray:
    """Return the outcomes of verdicts, where the model decides at the thresholds of each decision.

    Args:
        verdicts: verdicts.
        scores: calibrated scores, float64 (n,).
        review: scores from which the policies reviewed, float64 (n,).
        decline: scores from which they declined, float64 (n,); NaN: they declined nothing.

    Returns:
        Index into OUTCOMES, int8 (n,).
    """
    by_model = (scores >= review).astype(np.int8)
    by_model[scores >= decline] = OUTCOMES.index("decline")
    return np.where(verdicts.deciders == MODEL, by_model, verdicts.outcomes).astype(np.int8)


def at_thresholds(decisions: StoredDecisions, thresholds: Thresholds) -> OutcomeArray:
    """Return the outcomes if the model had decided at other thresholds; what rules decided stays.

    Args:
        decisions: decisions.
        thresholds: thresholds that are tried.

    Returns:
        Index into OUTCOMES, int8 (n,).
    """
    by_model = (decisions.scores >= thresholds.review).astype(np.int8)
    if thresholds.decline is not None:
        by_model[decisions.scores >= thresholds.decline] = OUTCOMES.index("decline")
    return where_model_decided(decisions, by_model)


def where_model_decided(decisions: StoredDecisions, by_model: OutcomeArray) -> OutcomeArray:
    """Return the outcomes if the model had decided otherwise; what rules and lists decided stays.

    Args:
        decisions: decisions.
        by_model: outcomes of the model, such as of another version, index into OUTCOMES, int8 (n,).

    Returns:
        Index into OUTCOMES, int8 (n,).
    """
    return np.where(decisions.deciders == MODEL, by_model, decisions.outcomes).astype(np.int8)


def fires_of(verdicts: Verdicts) -> BoolArray:
    """Return where the candidate's one rule fires or its one list matches, bool (n,)."""
    if verdicts.rules.rules:
        return verdicts.fires(0)
    matches = [entries.matches for entries in verdicts.entries]
    return np.any(matches, axis=0) if matches else np.zeros(verdicts.outcomes.size, np.bool_)
