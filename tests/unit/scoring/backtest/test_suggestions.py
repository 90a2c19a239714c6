"""Suggested rules: a planted pattern is found, and its figures are those of the later payments."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from scoring.backtest.backtest import backtest
from scoring.backtest.decisions import StoredDecisions, outcomes_with_rule
from scoring.backtest.rule_columns import RuleColumn, feature_columns, field_columns
from scoring.backtest.suggestions import MIN_FRAUDS, suggest_rules
from scoring.columns import BoolArray, TextColumn
from scoring.event_type.fields import EventType, Field
from scoring.expressions.nodes import ValueKind
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.lists.index import ListIndex
from scoring.policy import CostModel, Thresholds
from scoring.rules.batch_decider import ScoredPayments, decide_all
from scoring.rules.compiled import compile_rules
from scoring.rules.condition import check_condition, condition_schema, feature_kinds
from scoring.rules.rule import Rule, RuleSet
from tests.support.backtest.decisions import DAY_MS, FLAT, START_MS, stored

ROWS = 12_000
EVENT_TYPE = EventType(
    "card_payment",
    "IS_FRAUD",
    (
        Field("TIME", "timestamp", role="time"),
        Field("CUSTOMER", "entity", entity="customer", role="payer"),
        Field("AMOUNT", "number", role="amount", minimum=0),
        Field("CHANNEL", "category", values=("pos", "web", "atm")),
        Field("SHOP", "category", optional=True),
        Field("CHIP", "boolean", optional=True),
        Field("card limit", "number", optional=True),
    ),
)
FEATURES: dict[str, ValueKind] = {"risk": "number"}
COSTS = CostModel(100.0, 0.0, 5.0)


class Payments:
    """Random approved payments, some of which a pattern makes frauds."""

    def __init__(self, seed: int = 0, rows: int = ROWS) -> None:
        rng = np.random.default_rng(seed)
        self.rows = rows
        self.rng = rng
        self.columns: dict[str, np.ndarray | TextColumn] = {
            "TIME": START_MS / 1000 + np.sort(rng.integers(0, 30 * 86_400, rows)),
            "CUSTOMER": TextColumn(np.arange(rows), tuple(f"c{row}" for row in range(rows))),
            "AMOUNT": rng.lognormal(5, 1, rows).round(2),
            "CHANNEL": TextColumn(rng.integers(0, 3, rows), ("pos", "web", "atm")),
            "SHOP": TextColumn(rng.integers(-1, 8, rows), tuple("abcdefgh")),
            "CHIP": rng.choice([0.0, 1.0, np.nan], rows),
            "card limit": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(1, 50, rows)),
        }
        self.matrix = rng.random((rows, 1)).round(3)
        self.scores = rng.uniform(0.01, 0.19, rows).round(4)

    def number(self, name: str) -> np.ndarray:
        column = self.columns[name]
        return column.codes if isinstance(column, TextColumn) else column

    def decided(
        self, pattern: BoolArray, noise: float = 0.002, **columns: object
    ) -> StoredDecisions:
        """Return the decisions; nine of ten payments of the pattern are frauds."""
        is_fraud = np.where(
            pattern, self.rng.random(self.rows) < 0.9, self.rng.random(self.rows) < noise
        )
        return stored(
            self.rows,
            scores=self.scores,
            amounts=self.number("AMOUNT"),
            labelled=is_fraud,
            is_fraud=is_fraud,
            decided_at_ms=(self.number("TIME") * 1000),
            **columns,
        )

    def rule_columns(self) -> list[RuleColumn]:
        risk = RuleColumn("feature('risk')", "number", self.matrix[:, 0])
        return [*field_columns(EVENT_TYPE, self.columns), risk]

    def fires(self, condition: str) -> BoolArray:
        """Return where the engine of rules finds a condition true."""
        rule = Rule(1, 1, "suggested", condition, "review", "live")
        compiled = compile_rules(RuleSet((rule,)), EVENT_TYPE, FEATURES)
        assert dict(compiled.unusable) == {}
        scored = ScoredPayments(
            self.columns, self.scores, self.matrix, (), np.zeros(self.rows, np.int64)
        )
        return decide_all(compiled, scored, ListIndex(), Thresholds(0.2)).fires(0)


def test_a_planted_pattern_is_found_and_reported_on_later_payments_alone() -> None:
    payments = Payments()
    pattern = (payments.number("AMOUNT") > 300) & (payments.matrix[:, 0] >= 0.9)
    decisions = payments.decided(pattern)
    found = suggest_rules(decisions, payments.rule_columns(), COSTS)
    first = found.rules[0]
    assert first.condition == "feature('risk') >= 0.9 and AMOUNT >= 300"

    later = decisions.decided_at_ms >= found.split_ms
    assert found.later == later.sum()
    assert found.earlier == ROWS - found.later == pytest.approx(ROWS * 2 / 3, abs=2)
    fires = payments.fires(first.condition) & later
    frauds = int((fires & decisions.is_fraud).sum())
    alarms = int((fires & ~decisions.is_fraud).sum())
    firing = first.backtest.firing
    assert firing is not None
    assert firing.precision is not None
    assert (firing.fires, firing.frauds.value, firing.honest.value) == (
        frauds + alarms,
        frauds,
        alarms,
    )
    assert firing.precision.value == pytest.approx(frauds / (frauds + alarms))
    assert first.backtest.difference.saved.value == 100 * frauds - 5 * alarms
    assert first.backtest.decisions == found.later
    assert set(first.backtest.examples) <= set(np.flatnonzero(fires).tolist())


CHANNEL_AND_SHOP = "SHOP in ['b', 'd'] and CHANNEL == 'web'"
PATTERNS = {
    "categories": CHANNEL_AND_SHOP,
    "all but one category": "CHANNEL != 'pos' and AMOUNT >= 400",
    "a missing value": "is_missing(field('card limit')) and AMOUNT < 50",
    "a boolean": "CHIP and AMOUNT >= 500",
    "a false boolean": "not CHIP and AMOUNT >= 500",
    "an interval": "200 <= AMOUNT < 220",
    "the hour": "hour(TIME) < 3 and AMOUNT >= 200",
    "the score": "score >= 0.15 and AMOUNT >= 300",
    "a number that may be missing": "field('card limit') >= 48",
}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_a_pattern_of_each_kind_is_found(pattern: str) -> None:
    payments = Payments()
    planted = payments.fires(pattern)
    found = suggest_rules(payments.decided(planted), payments.rule_columns(), COSTS, resamples=20)
    fires = payments.fires(found.rules[0].condition)
    both = (fires & planted).sum()
    assert both >= 0.95 * planted.sum(), found.rules[0].condition
    assert both >= 0.9 * fires.sum(), found.rules[0].condition


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_every_figure_is_that_of_the_condition_as_the_engine_evaluates_it(pattern: str) -> None:
    payments = Payments(seed=1)
    decisions = payments.decided(payments.fires(pattern), noise=0.02)
    found = suggest_rules(decisions, payments.rule_columns(), COSTS, resamples=20)
    later = decisions.decided_at_ms >= found.split_ms
    assert found.rules
    for one in found.rules:
        fires = payments.fires(one.condition)[later]
        some = decisions.select(later)
        expected = backtest(
            some, outcomes_with_rule(some, fires, "review"), COSTS, fires, resamples=20
        )
        assert one.backtest.firing == expected.firing
        assert one.backtest.difference == expected.difference
        assert one.condition.count(" and ") <= 2
        schema = condition_schema(EVENT_TYPE, FEATURES, ())
        assert check_condition(one.condition, schema).source == one.condition, "canonical"


def test_three_patterns_give_three_rules() -> None:
    payments = Payments()
    patterns = [
        payments.fires(text)
        for text in (CHANNEL_AND_SHOP, "AMOUNT >= 900", "feature('risk') < 0.02")
    ]
    decisions = payments.decided(np.logical_or.reduce(patterns))
    found = suggest_rules(decisions, payments.rule_columns(), COSTS, resamples=20)
    assert len({one.condition for one in found.rules}) == len(found.rules) == 3
    assert found.note is None
    fires = [payments.fires(one.condition) for one in found.rules]
    for pattern in patterns:
        assert max((fire & pattern).sum() for fire in fires) >= 0.9 * pattern.sum()


def test_later_payments_have_no_part_in_the_choice() -> None:
    payments = Payments()
    decisions = payments.decided(payments.fires("AMOUNT >= 500 and feature('risk') >= 0.8"))
    columns = payments.rule_columns()
    before = suggest_rules(decisions, columns, COSTS, resamples=20)
    later = decisions.decided_at_ms >= before.split_ms
    honest = stored(
        ROWS,
        scores=decisions.scores,
        amounts=decisions.amounts,
        labelled=decisions.labelled & ~later,
        is_fraud=decisions.is_fraud & ~later,
        decided_at_ms=decisions.decided_at_ms,
    )
    after = suggest_rules(honest, columns, COSTS, resamples=20)
    assert [one.condition for one in after.rules] == [one.condition for one in before.rules]
    assert all(one.backtest.difference.saved.value <= 0 for one in after.rules), "all are reported"


def test_what_is_stopped_already_is_no_reason_for_a_rule() -> None:
    payments = Payments()
    stopped = payments.fires("AMOUNT >= 900")
    missed = payments.fires("CHANNEL == 'atm' and feature('risk') >= 0.9")
    decisions = payments.decided(stopped | missed, outcomes=stopped)
    found = suggest_rules(decisions, payments.rule_columns(), COSTS, resamples=20)
    fires = payments.fires(found.rules[0].condition)
    assert (fires & missed & ~stopped).sum() >= 0.9 * (missed & ~stopped).sum()
    assert (fires & stopped & ~missed).sum() <= 0.1 * fires.sum()
    by_rules = payments.decided(stopped | missed, deciders=np.full(ROWS, 2))
    assert suggest_rules(by_rules, payments.rule_columns(), COSTS).rules == ()


@pytest.mark.parametrize("frauds", [0, 1, MIN_FRAUDS - 1])
def test_too_few_frauds_give_no_rule_and_a_reason(frauds: int) -> None:
    payments = Payments(rows=600)
    is_fraud = np.arange(600) < frauds
    decisions = stored(600, is_fraud=is_fraud, labelled=is_fraud)
    found = suggest_rules(decisions, payments.rule_columns(), COSTS)
    assert found.rules == ()
    word = "fraud" if frauds == 1 else "frauds"
    assert found.note == (
        f"{frauds} {word} among the 400 earlier payments that the model approved; at least 5 are "
        "needed to suggest a rule."
    )


@pytest.mark.parametrize("seed", range(10))
def test_frauds_without_a_pattern_give_no_rule(seed: int) -> None:
    payments = Payments(seed)
    decisions = payments.decided(np.zeros(ROWS, np.bool_), noise=0.02)
    found = suggest_rules(decisions, payments.rule_columns(), COSTS)
    assert [one.condition for one in found.rules] == []
    assert found.note is not None


def test_columns_that_say_nothing_give_no_rule_and_a_reason() -> None:
    is_fraud = np.arange(600) % 10 == 0
    decisions = stored(600, is_fraud=is_fraud, labelled=is_fraud)
    columns = [
        RuleColumn("AMOUNT", "number", np.full(600, 7.0)),
        RuleColumn("LIMIT", "number", np.full(600, np.nan)),
        RuleColumn("SHOP", "category", np.zeros(600), ("a",)),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = suggest_rules(decisions, columns, FLAT)
    assert found.rules == ()
    assert found.note is not None
    assert found.note.startswith("No rule of at most three parts")


def test_a_pattern_that_costs_more_than_it_saves_is_no_rule() -> None:
    payments = Payments()
    decisions = payments.decided(payments.fires("AMOUNT >= 500"))
    dear = CostModel(1.0, 0.0, 1000.0)
    assert suggest_rules(decisions, payments.rule_columns(), dear).rules == ()


@pytest.mark.parametrize("share_of_frauds", [0.5, 1.0])
def test_frauds_that_cost_nothing_give_no_rule(share_of_frauds: float) -> None:
    is_fraud = np.arange(600) % 100 < 100 * share_of_frauds
    decisions = stored(
        600, is_fraud=is_fraud, labelled=is_fraud, amounts=np.zeros(600), scores=is_fraud * 0.1
    )
    assert suggest_rules(decisions, [], CostModel(0, 1, 5)).rules == ()


def test_no_decisions_one_moment_and_frauds_alone_have_a_reason() -> None:
    assert suggest_rules(stored(0), [], FLAT).note == "There are no decisions to learn from."
    everything = np.ones(300, np.bool_)
    frauds = stored(300, is_fraud=everything, labelled=everything, scores=np.arange(300) / 1000)
    assert suggest_rules(frauds, [], FLAT).note is not None
    same_time = stored(
        300, is_fraud=everything, labelled=everything, decided_at_ms=np.full(300, DAY_MS)
    )
    found = suggest_rules(same_time, [], FLAT)
    assert (found.earlier, found.later, found.rules) == (0, 300, ())
    with pytest.raises(ValueError, match="one value for each decision"):
        suggest_rules(frauds, [RuleColumn("AMOUNT", "number", np.zeros(2))], FLAT)


def test_the_same_decisions_give_the_same_rules() -> None:
    payments = Payments(rows=6000)
    decisions = payments.decided(payments.fires("AMOUNT >= 700"))
    columns = payments.rule_columns()
    first = suggest_rules(decisions, columns, COSTS, resamples=20)
    assert suggest_rules(decisions, columns, COSTS, resamples=20) == first


def test_features_that_are_codes_and_conditions_are_named_as_rules_name_them() -> None:
    payments = Payments()
    features = ModelFeatures(
        EVENT_TYPE,
        FeatureSet(
            (
                FeatureDefinition("spent", "AMOUNT"),
                FeatureDefinition("large", "AMOUNT > 400"),
                FeatureDefinition("channel", "code(CHANNEL)"),
                FeatureDefinition("shop", "code(SHOP)"),
            ),
            {"SHOP": ("h", "g", "f")},
        ),
    )
    matrix = features.matrix(payments.columns)
    columns = feature_columns(features, matrix)
    assert [(one.text, one.kind, one.categories) for one in columns] == [
        ("feature('spent')", "number", ()),
        ("feature('large')", "boolean", ()),
        ("CHANNEL", "category", ("pos", "web", "atm")),
        ("SHOP", "category", ("h", "g", "f")),
    ]
    pattern = payments.fires("AMOUNT > 400 and SHOP not in ['f', 'g', 'h']")
    found = suggest_rules(payments.decided(pattern), columns, COSTS, resamples=20)
    condition = found.rules[0].condition
    rule = Rule(1, 1, "suggested", condition, "review", "live")
    compiled = compile_rules(RuleSet((rule,)), EVENT_TYPE, feature_kinds(features))
    scored = ScoredPayments(payments.columns, payments.scores, matrix, (), np.zeros(ROWS, np.int64))
    fires = decide_all(compiled, scored, ListIndex(), Thresholds(0.2)).fires(0)
    assert (fires & pattern).sum() >= 0.95 * pattern.sum(), condition
    assert (fires & pattern).sum() >= 0.9 * fires.sum(), condition
