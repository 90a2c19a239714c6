"""A partial change of a policy: what is sent replaces what is in force, the rest stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scoring.exploration import Exploration
from scoring.policy import CostModel, Policy
from web.invalid_fields import invalid_fields


def changed_policy(current: Policy, changes: Mapping[str, Any]) -> Policy:
    """Return a policy with some of its numbers replaced.

    Costs without a threshold set the threshold at which a review and an approval cost the same; the
    cost of a false decline has no part in it.
    Where the threshold passes a `high_from` that is not among the changes, `high_from` is raised
    to it.

    Args:
        current: policy that gives the numbers that do not change.
        changes: new `threshold` and `high_from`, probabilities in (0, 1), `cost_model`, the new
            costs by name, `explore`, both of its numbers or None, and `decline_from`, a probability
            or None; at least one of them.

    Raises:
        InvalidRequest: nothing changes, or the numbers contradict each other; names the field.
    """
    if not changes:
        members = "threshold, high_from, decline_from, cost_model, explore"
        raise invalid_fields([((), f"must have at least one of {members}")])
    if changes.get("cost_model") == {}:
        raise invalid_fields([(("cost_model",), "must have at least one cost")])
    costs = changed_costs(current.cost_model, changes.get("cost_model", {}), "cost_model")
    threshold = current.threshold
    if "threshold" in changes:
        threshold = changes["threshold"]
    elif changes.get("cost_model", {}).keys() - {"false_decline"}:
        threshold = _break_even(costs)
    high_from = changes.get("high_from", max(current.high_from, threshold))
    if high_from < threshold:
        message = f"must be >= threshold, which is {threshold:.6g}"
        raise invalid_fields([(("high_from",), message)])
    explore = current.explore
    if "explore" in changes:
        explore = Exploration(**changes["explore"]) if changes["explore"] else None
    decline_from = changes.get("decline_from", current.decline_from)
    if decline_from is not None and decline_from < threshold:
        message = f"must be >= threshold, which is {threshold:.6g}, or null: nothing is declined"
        raise invalid_fields([(("decline_from",), message)])
    return Policy(costs, threshold, high_from, explore, decline_from)


def changed_costs(current: CostModel, changes: Mapping[str, Any], *path: str) -> CostModel:
    """Return costs with some of them replaced.

    Args:
        current: costs that give those that do not change.
        changes: new costs by name, money or a share, each >= 0.
        path: names of the fields that the costs are nested in, for errors.

    Raises:
        InvalidRequest: a missed fraud or a false alarm would cost nothing; names one of them.
    """
    try:
        return replace(current, **changes)
    except ValueError as error:
        zero = (name for name in ("false_alarm", "false_decline") if changes.get(name) == 0)
        free = next(zero, "missed_fraud")
        raise invalid_fields([((*path, free), str(error))]) from error


def _break_even(costs: CostModel) -> float:
    try:
        threshold = costs.break_even()
    except ValueError as error:
        message = f"must be given: {error}; GET /tuner shows what each threshold would have done"
        raise invalid_fields([(("threshold",), message)]) from error
    if not 0 < threshold < 1:
        message = f"gives a threshold of {threshold:.6g}; it must lie strictly between 0 and 1"
        raise invalid_fields([(("cost_model",), message)])
    return threshold
