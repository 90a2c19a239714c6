"""The reply of a backtest."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np

from api.models.responses import costs_out
from api.rules.backtest_schemas import (
    BacktestOut,
    DayOut,
    DifferenceOut,
    ExampleOut,
    FiringOut,
    SuggestionOut,
    SuggestionsOut,
    TotalsOut,
)
from persistence.labels.past_decisions import PastDecisions
from persistence.rules.backtesting import Tested
from persistence.rules.suggesting import Suggested
from scoring.policy import OUTCOMES, CostModel, Outcome


def backtest_out(tested: Tested, costs: CostModel, as_of: datetime) -> BacktestOut:
    """Return the reply of a backtest.

    Args:
        tested: figures and decisions.
        costs: costs of errors.
        as_of: time whose labels count.
    """
    result, decisions = tested.result, tested.past.decisions
    times_ms = decisions.decided_at_ms
    return BacktestOut(
        as_of=as_of,
        from_=_moment(int(times_ms.min())),
        to=_moment(int(times_ms.max())),
        decisions=result.decisions,
        labelled=result.labelled,
        frauds=result.frauds,
        truncated=tested.past.truncated,
        unknown=tested.unknown,
        unscored=tested.unscored,
        cost_model=costs_out(costs),
        decided=TotalsOut.model_validate(asdict(result.decided)),
        tried=TotalsOut.model_validate(asdict(result.candidate)),
        difference=DifferenceOut.model_validate(asdict(result.difference)),
        has_few_frauds=result.has_few_frauds,
        changes=[list(row) for row in result.changes],
        fraud_changes=[list(row) for row in result.fraud_changes],
        firing=FiringOut.model_validate(asdict(result.firing)) if result.firing else None,
        days=[DayOut.model_validate(asdict(day)) for day in result.days],
        examples=[
            _example(tested.past, place, OUTCOMES[tested.outcomes[place]])
            for place in result.examples
        ],
    )


def suggestions_out(suggested: Suggested) -> SuggestionsOut:
    """Return the reply with suggested rules."""
    found = suggested.suggestions
    return SuggestionsOut(
        rules=[
            SuggestionOut(
                condition=rule.condition,
                firing=FiringOut.model_validate(asdict(rule.backtest.firing)),
                difference=DifferenceOut.model_validate(asdict(rule.backtest.difference)),
                has_few_frauds=rule.backtest.has_few_frauds,
                examples=[
                    _example(suggested.past, place, "review") for place in rule.backtest.examples
                ],
            )
            for rule in found.rules
            if rule.backtest.firing is not None
        ],
        note=found.note,
        earlier=found.earlier,
        earlier_frauds=found.earlier_frauds,
        later=found.later,
    )


def _example(past: PastDecisions, place: int, tried: Outcome) -> ExampleOut:
    decisions = past.decisions
    amount = float(decisions.amounts[place])
    return ExampleOut(
        transaction_id=past.transaction_id(place),
        decided_at=_moment(int(decisions.decided_at_ms[place])),
        amount=None if np.isnan(amount) else amount,
        score=float(decisions.scores[place]),
        decided=OUTCOMES[decisions.outcomes[place]],
        tried=tried,
        is_fraud=bool(decisions.is_fraud[place]) if decisions.labelled[place] else None,
    )


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
