"""Columns that a suggested condition may read: the score, features, and fields of the event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np

from scoring.columns import Columns, FloatArray, TextColumn
from scoring.event_type.fields import EventType
from scoring.expressions import compile_expression
from scoring.expressions.canonical import SCORE, field_text
from scoring.feature_set.model_features import ModelFeatures

MAX_CATEGORIES = 1000
"""Values of a category that is read; one of more is nearly an entity."""


@dataclass(frozen=True, slots=True)
class RuleColumn:
    """One column of n payments.

    Attributes:
        text: expression of the value, as conditions have it.
        kind: kind of the value; a boolean is a condition itself.
        values: float64 (n,), NaN where missing; for a category, codes from 0 on.
        categories: value by code; codes beyond stand for values without a name. Empty for other
            kinds.
    """

    text: str
    kind: Literal["number", "boolean", "category"]
    values: FloatArray
    categories: tuple[str, ...] = ()


def score_column(scores: FloatArray) -> RuleColumn:
    """Return the column of the model's scores, float64 (n,)."""
    return RuleColumn(SCORE, "number", scores)


def field_columns(event_type: EventType, columns: Columns) -> list[RuleColumn]:
    """Return the columns of an event's own numbers, booleans, categories and the hour of its time.

    Entities, texts and timestamps say nothing about other payments.

    Args:
        event_type: event type of the payments.
        columns: columns of n payments by field name; fields without one are left out.
    """
    made: list[RuleColumn] = []
    for name, field in event_type.kept.items():
        values, text = columns.get(name), field_text(name)
        if isinstance(values, TextColumn):
            if field.kind == "category" and len(values.values) <= MAX_CATEGORIES:
                codes = np.where(values.codes < 0, np.nan, values.codes)
                made.append(RuleColumn(text, "category", codes, values.values))
        elif values is not None and field.kind in ("number", "integer"):
            made.append(RuleColumn(text, "number", values))
        elif values is not None and field.kind == "boolean":
            made.append(RuleColumn(text, "boolean", values))
        elif values is not None and field.role == "time":
            hour = compile_expression(f"hour({text})", event_type)
            made.append(RuleColumn(hour.source, "number", hour.evaluate(columns)))
    return made


def feature_columns(features: ModelFeatures, matrix: FloatArray) -> list[RuleColumn]:
    """Return the columns of a model's features; one that is the code of a category has its values.

    Args:
        features: features of the version.
        matrix: values of the features, float64 (n, f).
    """
    made = []
    for place, feature in enumerate(features.compiled.features):
        values = matrix[:, place]
        if (name := feature.coded_field) is not None:
            categories = features.event_type.kept[name].values
            if categories is None:
                categories = features.feature_set.categories[name]
            made.append(RuleColumn(field_text(name), "category", values, tuple(categories)))
            continue
        kind: Literal["number", "boolean"] = (
            "boolean" if feature.expression.root.kind == "boolean" else "number"
        )
        made.append(RuleColumn(f"feature({feature.definition.name!r})", kind, values))
    return made


def distinct_columns(columns: Iterable[RuleColumn]) -> list[RuleColumn]:
    """Return the columns without those that repeat one before, such as a feature that is a field.

    Columns that are constant stay: a tree has no use for them.
    """
    found: dict[bytes, RuleColumn] = {}
    for column in columns:
        content = column.text.encode() if column.categories else column.values.tobytes()
        found.setdefault(blake2b(content, digest_size=16).digest(), column)
    return list(found.values())
