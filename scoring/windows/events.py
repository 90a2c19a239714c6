"""The events that windows are computed from, as columns in order of arrival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import Column

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MISSING = -1
"""Code of a missing key."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What n events turned out to be.

    Attributes:
        is_fraud: True for a fraud, (n,).
        known_us: time at which the label became known, in microseconds since 1970, (n,). It is
            read only where `is_fraud`: an event without a known label counts as legitimate.
    """

    is_fraud: BoolArray
    known_us: IntArray


@dataclass(frozen=True, slots=True)
class Events:
    """Columns of n events; a row's position is its order of arrival.

    Attributes:
        time_us: time of each event in microseconds since 1970, (n,).
        keys: codes of the entities, -1 where missing, (n,), by `WindowDefinition.by`.
        values: aggregated values and counted fields by `WindowDefinition.value`. A number that is
            infinite counts as missing, as NaN does, and -0.0 counts as 0.0.
        conditions: whether each event meets a condition, (n,), by `WindowDefinition.where`.
        labels: labels; None where no window is a fraud_rate.
    """

    time_us: IntArray
    keys: Mapping[tuple[str, ...], IntArray]
    values: Mapping[str, Column]
    conditions: Mapping[str, BoolArray]
    labels: Labels | None


def joint_codes(codes: Sequence[IntArray]) -> IntArray:
    """Return one code for each combination of entities.

    Args:
        codes: codes of one or more entity fields, -1 where missing, each (n,).

    Returns:
        Codes from 0 up, equal where all fields are equal; -1 where one of them is missing, (n,).
    """
    joint = codes[0]
    for other in codes[1:]:
        is_missing = (joint < 0) | (other < 0)
        width = int(other.max(initial=0)) + 1
        # The codes are made dense first, so that the product stays inside of int64.
        _, dense = np.unique(joint, return_inverse=True)
        _, joint = np.unique(dense.astype(np.int64) * width + other, return_inverse=True)
        joint = np.where(is_missing, MISSING, joint).astype(np.int64)
    return joint
