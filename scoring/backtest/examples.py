"""Examples: the payments that show best what a rule, a list or a threshold does."""

from __future__ import annotations

import numpy as np

from scoring.backtest.decisions import IntArray, StoredDecisions
from scoring.columns import BoolArray, FloatArray

EXAMPLES = 20


def choose_examples(
    decisions: StoredDecisions, among: BoolArray, effect: FloatArray
) -> tuple[int, ...]:
    """Return the positions of up to EXAMPLES payments: frauds, then honest ones, then others.

    Half of them are known frauds and half honest payments, those with the largest effect in money
    first. A known honest one comes before one that is presumed honest; of equal ones the larger
    amount, then the latest comes first. Where one half has too few, the latest others fill it.

    Args:
        decisions: n decisions.
        among: whether each payment may be an example, bool (n,).
        effect: money that the outcome of each payment saves more, float64 (n,).
    """
    fraud = among & decisions.is_fraud
    honest = among & ~decisions.is_fraud & (decisions.labelled | (decisions.weights > 0))
    half = EXAMPLES // 2
    amounts = np.where(np.isnan(decisions.amounts), 0.0, decisions.amounts)
    keys = (decisions.decided_at_ms, amounts, np.abs(effect))
    chosen = [
        *_last(np.flatnonzero(fraud), keys, half),
        *_last(np.flatnonzero(honest), (*keys, decisions.labelled), half),
    ]
    left = among.copy()
    left[chosen] = False
    rest = _last(np.flatnonzero(left), (decisions.decided_at_ms,), EXAMPLES - len(chosen))
    return tuple(chosen + rest)


def _last(rows: IntArray, keys: tuple[np.ndarray, ...], count: int) -> list[int]:
    """Return up to `count` of the rows, the largest first by the last key, then the one before."""
    order = np.lexsort([-rows, *(key[rows] for key in keys)])
    chosen: list[int] = rows[order[::-1][:count]].tolist()
    return chosen
