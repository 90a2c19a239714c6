"""The condition of a rule, checked against what a tenant sends and what its model computes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from scoring.errors import InvalidExpression
from scoring.event_type.fields import EventType
from scoring.expressions import CheckedExpression, Schema, ScoredNames, check_expression
from scoring.expressions.nodes import ValueKind
from scoring.feature_set.model_features import ModelFeatures
from scoring.lists.entity_list import EntityList


def condition_schema(
    event_type: EventType, features: Mapping[str, ValueKind], lists: Sequence[EntityList]
) -> Schema:
    """Return what the conditions of a tenant's rules may name.

    Args:
        event_type: event type that the tenant sends.
        features: kind of each feature of the model version by name, see `feature_kinds`.
        lists: tenant's lists.
    """
    scored = ScoredNames(features, {one.name: one.entity for one in lists})
    return Schema.of(event_type, scored=scored)


def feature_kinds(features: ModelFeatures) -> dict[str, ValueKind]:
    """Return whether each feature of a model version is a number or a condition, by name."""
    return {one.definition.name: one.expression.root.kind for one in features.compiled.features}


def check_condition(source: str, schema: Schema) -> CheckedExpression:
    """Return the checked form of a rule's condition, with its canonical text.

    Args:
        source: text of the condition.
        schema: result of `condition_schema`.

    Raises:
        InvalidExpression: the text is not in the language, does not fit the schema or is no
            condition; the error points at the part.
    """
    checked = check_expression(source, schema)
    if checked.root.kind != "boolean":
        raise InvalidExpression(
            "A rule's condition is true or false; this is a number. Compare it with something.",
            source=source,
            column=1,
            end_column=max(1, len(source)),
        )
    return checked


def condition_problem(condition: str, schema: Schema) -> str | None:
    """Return why a stored condition does not fit what it may name now; None where it does.

    Args:
        condition: condition in canonical form.
        schema: result of `condition_schema`.
    """
    try:
        check_condition(condition, schema)
    except InvalidExpression as error:
        return error.detail
    return None


def lists_named(condition: str) -> frozenset[str]:
    """Return the names of the lists that a condition reads.

    Args:
        condition: text of a condition that was checked.
    """
    return frozenset(
        str(node.args[0].value)
        for node in ast.walk(ast.parse(condition, mode="eval"))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "in_list"
        and isinstance(node.args[0], ast.Constant)
    )
