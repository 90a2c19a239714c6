"""A decision's features are read by the names that are stored with it."""

from __future__ import annotations

import json

from scoring.described_features import (
    DescribedFeatures,
    FeatureDescription,
    described_features,
)
from scoring.features import PAYSIM_FEATURES

TWO = DescribedFeatures(
    (
        FeatureDescription("amount", "amount moved"),
        FeatureDescription("channel", "channel of the payment", ("web", "app")),
    )
)


def test_a_document_holds_names_descriptions_and_words_in_order() -> None:
    for described in (TWO, PAYSIM_FEATURES.described, DescribedFeatures(())):
        assert described_features(json.loads(json.dumps(described.as_document()))) == described
    assert TWO.names == ("amount", "channel")
    assert TWO.display_values == ({}, {0.0: "web", 1.0: "app"})


def test_the_same_names_in_any_order_keep_the_order_of_the_version() -> None:
    assert TWO.of_names(["channel", "amount"]) is TWO


def test_names_that_the_version_does_not_describe_follow_under_their_own_name() -> None:
    stored = TWO.of_names(["visits", "channel", "age"])
    assert stored.names == ("channel", "visits", "age")
    assert stored.find("age") == FeatureDescription("age", "age")
    assert stored.find("channel") == TWO.find("channel")
    assert stored.find("amount") is None
