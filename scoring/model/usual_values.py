"""The usual value of a quantity: its median among the payments that a version was trained on.

A version's `features.json` describes each feature by bins between its deciles
(`training/pipeline/distribution.py`). The median is one of these edges, unless at least half of the
payments have the smallest value, which the file does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoring.evaluation.drift import Binned, training_distribution

COMPARED = ("amount", "oldbalance_org", "oldbalance_dest")
"""Features whose value a person compares with what is usual."""
_TOLERANCE = 1e-9
"""The proportions are rounded, and their sums too."""


def usual_values(distribution: Mapping[str, Any]) -> dict[str, float]:
    """Return the medians of COMPARED by feature name; a median that is not known is left out.

    Args:
        distribution: training distribution of a version, as `features.json` has it.
    """
    try:
        trained = training_distribution(distribution)
    except ValueError:  # the drift monitor reports it; it keeps no payment from being decided
        return {}
    medians = {name: _median(trained[name]) for name in COMPARED if name in trained}
    return {name: median for name, median in medians.items() if median is not None}


def _median(trained: Binned) -> float | None:
    """Return the largest edge that at most half of the rows lie below."""
    below, median = 0.0, None
    for edge, proportion in zip(trained.edges, trained.proportions, strict=False):
        below += proportion
        if below > 0.5 + _TOLERANCE:
            return median
        median = edge
    return median
