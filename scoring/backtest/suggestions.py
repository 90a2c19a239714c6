"""Suggestions: rules that find frauds among the payments that were approved.

The rules are chosen on earlier decisions and tried on later ones, so no figure is of the data that
it was chosen on. What was approved by the model alone is what a review rule adds to, and it is what
shows what it was, so the search needs no presumption about payments that were stopped.

Each rule is the most profitable region of a shallow tree (`scoring.backtest.tree`), simplified; the
next tree is grown without the payments that it fires for. Elkan, "The Foundations of Cost-Sensitive
Learning" (IJCAI 2001), theorem 2: the costs are the weights of the tree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scoring.backtest.backtest import backtest
from scoring.backtest.conditions import Condition, condition_text, holds, rounded, shortened
from scoring.backtest.decisions import (
    APPROVE,
    MODEL,
    IntArray,
    StoredDecisions,
    outcomes_with_rule,
)
from scoring.backtest.result import Backtest
from scoring.backtest.rule_columns import RuleColumn, distinct_columns, score_column
from scoring.backtest.tree import ShallowTrees
from scoring.columns import BoolArray, FloatArray
from scoring.counted import counted
from scoring.evaluation.bootstrap import RESAMPLES
from scoring.policy import CostModel

SUGGESTIONS = 3
EARLIER_SHARE = 2 / 3
"""Share of the decisions on which rules are chosen."""
MIN_FRAUDS = 5
"""Fewest earlier frauds that a rule finds."""
MIN_ROWS = 20
"""Fewest earlier payments of a region of the tree."""
MIN_EVIDENCE = 12.0
"""Least evidence, nats, that a rule's payments are frauds more often than the others: by chance it
is reached in 6 of a million regions, and a tree chooses from tens of thousands."""
_KEPT_SAVINGS, _KEPT_PRECISION = 0.98, 0.95
"""Shares of its savings and of its precision that a rule keeps when it is shortened or rounded."""
_DIGITS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A review rule that was chosen on earlier decisions.

    Attributes:
        condition: condition in the language of rules, of at most three parts.
        backtest: figures of the rule on the later decisions, which had no part in its choice;
            `examples` are positions among all decisions.
    """

    condition: str
    backtest: Backtest


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Rules that were chosen on earlier decisions and tried on later ones.

    Attributes:
        rules: at most SUGGESTIONS rules, in the order in which they were found.
        note: sentence on why there are fewer; None if there are not.
        split_ms: time in milliseconds since 1970 UTC from which on decisions are later ones.
        earlier, later: number of decisions.
        earlier_frauds: number of frauds among the earlier payments that the model approved.
    """

    rules: tuple[Suggestion, ...]
    note: str | None
    split_ms: int
    earlier: int
    later: int
    earlier_frauds: int


def suggest_rules(
    decisions: StoredDecisions,
    columns: Sequence[RuleColumn],
    costs: CostModel,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Suggestions:
    """Suggest review rules for what the model approved, each with its backtest.

    Args:
        decisions: n decisions of one event type and one model version, in any order.
        columns: columns that conditions may read beside the score, n rows each, see
            `scoring.backtest.rule_columns`.
        costs: costs of errors.
        resamples: number of resamples of each backtest.
        seed: seed of the resamples.

    Raises:
        ValueError: a column has another length than the decisions.
    """
    if any(column.values.size != len(decisions) for column in columns):
        raise ValueError("a column has one value for each decision")
    if not len(decisions):
        return Suggestions((), "There are no decisions to learn from.", 0, 0, 0, 0)
    at = decisions.decided_at_ms
    split_ms = int(np.partition(at, int(at.size * EARLIER_SHARE))[int(at.size * EARLIER_SHARE)])
    is_later = at >= split_ms
    approved = (decisions.outcomes == APPROVE) & (decisions.deciders == MODEL)
    learned = ~is_later & approved
    frauds = int((learned & decisions.counted_fraud).sum())
    all_columns = distinct_columns([score_column(decisions.scores), *columns])
    chosen: list[Condition] = []
    if frauds >= MIN_FRAUDS:
        chosen = list(_chosen(decisions.select(learned), _rows(all_columns, learned), costs))
    later, later_columns = decisions.select(is_later), _rows(all_columns, is_later)
    positions = np.flatnonzero(is_later)
    rules = tuple(
        Suggestion(
            condition_text(condition, all_columns),
            _tried(later, holds(condition, later_columns), positions, costs, resamples, seed),
        )
        for condition in chosen
    )
    return Suggestions(
        rules=rules,
        note=_note(len(rules), frauds, int(learned.sum())),
        split_ms=split_ms,
        earlier=int((~is_later).sum()),
        later=len(later),
        earlier_frauds=frauds,
    )


def _rows(columns: Sequence[RuleColumn], rows: BoolArray) -> list[RuleColumn]:
    return [replace(column, values=column.values[rows]) for column in columns]


def _tried(
    later: StoredDecisions,
    fires: BoolArray,
    positions: IntArray,
    costs: CostModel,
    resamples: int,
    seed: int,
) -> Backtest:
    outcomes = outcomes_with_rule(later, fires, "review")
    result = backtest(later, outcomes, costs, fires, resamples=resamples, seed=seed)
    return replace(result, examples=tuple(positions[list(result.examples)].tolist()))


def _note(found: int, frauds: int, payments: int) -> str | None:
    if found == SUGGESTIONS:
        return None
    if frauds < MIN_FRAUDS:
        return (
            f"{counted(frauds, 'fraud')} among the {counted(payments, 'earlier payment')} that the "
            f"model approved; at least {MIN_FRAUDS} are needed to suggest a rule."
        )
    return (
        f"No {'further ' if found else ''}rule of at most three parts finds {MIN_FRAUDS} of the "
        "earlier frauds, more than chance would, and saves money."
    )


def _chosen(
    learned: StoredDecisions, columns: Sequence[RuleColumn], costs: CostModel
) -> Iterator[Condition]:
    """Yield up to SUGGESTIONS conditions, each for payments that none before fires for.

    Args:
        learned: approved payments, m rows.
        columns: their columns, m rows each.
        costs: costs of errors.
    """
    is_fraud = learned.counted_fraud
    missed = costs.missed_costs(learned.amounts)
    gain = learned.counts * np.where(is_fraud, missed, -costs.false_alarm)
    if not gain.any():
        return
    trees = ShallowTrees(columns, is_fraud, np.abs(gain), MIN_ROWS)
    left = np.ones(len(learned), np.bool_)
    for _ in range(SUGGESTIONS):
        if (is_fraud & left).sum() < MIN_FRAUDS:
            return
        own = _rows(columns, left)
        found = _most_profitable(trees.regions(left), own, is_fraud[left], gain[left])
        if found is None:
            return
        yield found
        left &= ~holds(found, columns)


def _most_profitable(
    conditions: Iterable[Condition],
    columns: Sequence[RuleColumn],
    is_fraud: BoolArray,
    gain: FloatArray,
) -> Condition | None:
    """Return the condition with the largest savings, short and with short numbers.

    Args:
        conditions: conditions to choose from.
        columns: columns of m payments.
        is_fraud: labels, bool (m,).
        gain: money that a review of each payment saves, float64 (m,).
    """
    base = float(is_fraud.mean())

    def merit(condition: Condition) -> tuple[float, float]:
        """Return savings and precision; nothing of a condition that chance explains."""
        where = holds(condition, columns)
        frauds, payments = int((where & is_fraud).sum()), int(where.sum())
        if frauds < MIN_FRAUDS or _evidence(frauds, base * payments) < MIN_EVIDENCE:
            return 0.0, 0.0
        return float(gain[where].sum()), frauds / payments

    found: Condition | None = None
    most, precision = 0.0, 0.0
    for condition in conditions:
        if (own := merit(condition)) > (most, 1.0):
            found, (most, precision) = condition, own
    if found is None:
        return None

    def is_as_good(condition: Condition) -> bool:
        savings, own_precision = merit(condition)
        return savings >= _KEPT_SAVINGS * most and own_precision >= _KEPT_PRECISION * precision

    while good := [shorter for shorter in shortened(found) if is_as_good(shorter)]:
        found = max(good, key=merit)
    good = [short for digits in _DIGITS if is_as_good(short := rounded(found, digits))]
    return good[0] if good else found


def _evidence(frauds: int, expected: float) -> float:
    """Return the negative logarithm of Chernoff's bound for a Poisson number to reach `frauds`."""
    if frauds <= expected:
        return 0.0
    return frauds * math.log(frauds / expected) - (frauds - expected)
