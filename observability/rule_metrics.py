"""Metrics of rules and lists: what decided, what fired, what failed.

The labels are the registered model, which every tenant has one of, and a few words: a rule's own
figures are in the database (`GET /rules`), where they need no label.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

import bentoml

from scoring.prediction import Prediction

DECIDED_BY = bentoml.metrics.Counter(
    name="sentinel_decided_by_total",
    documentation="Stored decisions of tenants with rules or lists, by what decided: list_entry,"
    " rule or model",
    labelnames=["model", "kind"],
)
RULES = bentoml.metrics.Counter(
    name="sentinel_rule_results_total",
    documentation="Rules whose condition was true (fired, shadow, snoozed) or without a value"
    " (failed), counted once for each decision",
    labelnames=["model", "result"],
)
LIST_MATCHES = bentoml.metrics.Counter(
    name="sentinel_list_matches_total",
    documentation="Entries of lists with an action that stored decisions matched",
    labelnames=["model"],
)
_RESULTS = ("fired", "shadow", "snoozed", "failed")


def count_rulings(predictions: Iterable[Prediction]) -> None:
    """Count what rules and lists made of stored decisions."""
    decided: Tally[tuple[str, str]] = Tally()
    results: Tally[tuple[str, str]] = Tally()
    matches: Tally[str] = Tally()
    for prediction in predictions:
        if prediction.ruling is None:
            continue
        model, verdict = prediction.model.name, prediction.ruling.verdict
        decided[model, verdict.decided_by.kind] += 1
        matches[model] += len(verdict.entries)
        for result in _RESULTS:
            results[model, result] += len(getattr(verdict, result))
    for (model, kind), count in decided.items():
        DECIDED_BY.labels(model=model, kind=kind).inc(count)
    for (model, result), count in results.items():
        RULES.labels(model=model, result=result).inc(count)
    for model, count in matches.items():
        LIST_MATCHES.labels(model=model).inc(count)
