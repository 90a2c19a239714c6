"""The model card has every section, figures with intervals, and needs no other file."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from registry.publish.tracking import MAX_DESCRIPTION
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.features import PAYSIM_FEATURES
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from tests.support.event_types import an_event_type
from tests.support.factories import a_model, feature_rows
from training.pipeline.calibration import KindMetrics
from training.pipeline.evaluation import Evaluation, evaluate
from training.reporting.model_card import (
    CardFacts,
    CardPart,
    Influence,
    Picture,
    influences,
    inputs,
    render,
)

PNG = b"\x89PNG\r\n\x1a\n made up"


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    model = a_model(threshold=0.3)
    margin = model.margins(feature_rows(2000, seed=2))
    is_fraud = np.random.default_rng(0).random(2000) < model.calibrator(margin)
    return evaluate(model, margin, np.full(2000, 100.0), is_fraud)


def facts(evaluation: Evaluation, **changes: Any) -> CardFacts:
    values: dict[str, Any] = {
        "version": ModelVersion("fraud-acme", 3),
        "made_by": "Trained on month.csv.",
        "made_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "data": {"source": "month.csv", "rows": "2,000"},
        "parts": [CardPart("fit", "the trees", "1 to 9", 1000, 10)],
        "inputs": "The features are these.",
        "policy": Policy.at(0.05, CostModel(0.0, 1.0, 5.0)),
        "threshold_source": "net savings",
        "evaluation": evaluation,
        "calibrator_kind": "sigmoid",
        "comparisons": [KindMetrics("sigmoid", 0.01, 0.002, 0.0003, 0.0, 0.1)],
        "compared_on": "fitted on hours 1 to 4, compared on 5 to 9",
        "provenance": {"seed": "7"},
    }
    return CardFacts(**values | changes)


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_card_has_every_section_of_a_model_card(evaluation: Evaluation) -> None:
    card = render(facts(evaluation, influences=[Influence("amount moved", 0.5, 1.5)]))
    assert re.findall(r"^## (.+)$", card.markdown, re.MULTILINE) == [
        "Intended use", "Figures", "Policy and costs", "Data", "Calibration", "Reasons", "Limits",
        "Provenance",
    ]  # fmt: skip
    assert card.markdown.startswith("# Model card: fraud-acme version 3\n")
    assert "2026-01-02 03:04 UTC" in card.markdown
    assert "a missed fraud costs 0 plus 100 % of its amount, a false alarm 5" in card.markdown
    for text in ("month.csv", "| amount moved | 0.500 | 1.500 |", "| seed | 7 |", "| fit | 1 to 9"):
        assert text in card.markdown


def test_figures_come_with_their_intervals(evaluation: Evaluation) -> None:
    interval = evaluation.intervals["pr_auc"]
    shown = f"{interval.value:.4f} ({interval.low:.4f} to {interval.high:.4f})"
    card = render(facts(evaluation))
    assert shown in card.markdown
    assert shown in card.html
    assert shown in card.description


def test_the_random_split_stands_beside_the_one_by_time(evaluation: Evaluation) -> None:
    alone = render(facts(evaluation))
    assert "random split" not in alone.markdown
    assert "random split" not in alone.description
    both = render(facts(evaluation, random=evaluation, random_note="It means this."))
    for text in (both.markdown, both.html, both.description):
        assert "random split" in text
        assert "It means this." in text


def test_the_page_needs_no_other_file_and_no_network(evaluation: Evaluation) -> None:
    card = render(facts(evaluation, pictures=[Picture("A curve & more.", PNG)]))
    page = Page(card.html)
    assert [tag for tag, _ in page.tags if tag in ("script", "link", "iframe")] == []
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert sources == ["data:image/png;base64," + base64.b64encode(PNG).decode()]
    assert "http" not in card.html
    assert "url(" not in card.html
    assert "A curve & more." in page.text


def test_a_file_name_is_escaped_in_the_page(evaluation: Evaluation) -> None:
    name = "<script>alert(1)</script> | [x](http://y) `z` *b*.csv"
    card = render(facts(evaluation, data={"source": name}))
    page = Page(card.html)
    assert name in page.text
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "a", "em"})


def test_every_table_of_the_page_is_a_table(evaluation: Evaluation) -> None:
    card = render(facts(evaluation, random=evaluation, random_note="So."))
    text = Page(card.html).text
    assert "|" not in text
    assert sum(tag == "table" for tag, _ in Page(card.html).tags) == 6


def test_without_missed_frauds_the_rule_of_three_bounds_their_share(evaluation: Evaluation) -> None:
    assert "rule of three" not in render(facts(evaluation)).markdown
    frauds = int(evaluation.is_fraud.sum())
    perfect = replace(evaluation, metrics={**evaluation.metrics, "missed_frauds": 0.0})
    assert f"up to {3 / frauds:.1%} of such frauds" in render(facts(perfect)).markdown


def test_the_description_fits_into_mlflows_column(evaluation: Evaluation) -> None:
    long = {f"fact {i}": "x" * 500 for i in range(12)}
    card = render(facts(evaluation, data=long, random=evaluation, random_note="y" * 300))
    assert len(card.description) <= MAX_DESCRIPTION
    with pytest.raises(ValueError, match="characters"):
        render(facts(evaluation, random_note="y" * MAX_DESCRIPTION, random=evaluation))


def test_influences_weigh_frauds_by_their_true_rate() -> None:
    contributions = np.zeros((4, len(PAYSIM_FEATURES.names)))
    contributions[:2, 0] = (8.0, -4.0)
    contributions[2:, 1] = (1.0, -1.0)
    found = influences(
        contributions,
        np.array([True, True, False, False]),
        fraud_rate=0.01,
        described=PAYSIM_FEATURES.described,
    )
    assert found[0] == Influence(PAYSIM_FEATURES.described.features[1].description, 0.99, 0.0)
    assert found[1] == Influence(PAYSIM_FEATURES.described.features[0].description, 0.06, 6.0)
    assert len(found) == len(PAYSIM_FEATURES.names)


def test_the_card_says_in_which_direction_features_are_held() -> None:
    definitions = (
        FeatureDefinition("amount", "TX_AMOUNT", monotone="increasing"),
        FeatureDefinition("hour", "hour(TX_DATETIME)"),
        FeatureDefinition("age", "first_seen(by=CUSTOMER_ID)", monotone="decreasing"),
    )
    text = inputs(ModelFeatures(an_event_type(), FeatureSet(definitions)))
    assert text.endswith(
        "A higher value never lowers the score, all else equal: `amount`. "
        "A higher value never raises the score, all else equal: `age`."
    )
    free = tuple(replace(one, monotone=None) for one in definitions)
    assert "all else equal" not in inputs(ModelFeatures(an_event_type(), FeatureSet(free)))
