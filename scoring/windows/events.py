"""The events that windows are computed from, as columns in order of arrival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.columns import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_MIXER = np.uint64(0x9E3779B97F4A7C15)
"""Knuth's multiplicative hash, 2^64 divided by the golden ratio."""

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
class Codes:
    """Texts of n events as codes.

    Attributes:
        codes: 0 <= code < `count`, equal where the texts are; -1 where missing, (n,).
        count: number of codes.
    """

    codes: IntArray
    count: int


@dataclass(frozen=True, slots=True)
class Events:
    """Columns of n events; a row's position is its order of arrival.

    Attributes:
        time_us: time of each event in microseconds since 1970, (n,).
        keys: codes of the entities, -1 where missing, (n,), by `WindowDefinition.by`.
        values: aggregated values, float64 (n,), and counted texts by `WindowDefinition.value`. A
            number that is infinite counts as missing, as NaN does, and -0.0 counts as 0.0.
        conditions: whether each event meets a condition, (n,), by `WindowDefinition.where`.
        labels: labels; None where no window is a fraud_rate.
        is_seen: whether later events see each event, (n,); None where all are seen.
    """

    time_us: IntArray
    keys: Mapping[tuple[str, ...], IntArray]
    values: Mapping[str, FloatArray | Codes]
    conditions: Mapping[str, BoolArray]
    labels: Labels | None
    is_seen: BoolArray | None = None


def joint_codes(codes: Sequence[IntArray]) -> IntArray:
    """Return one code for each combination of entities.

    Args:
        codes: codes of one or more entity fields, -1 where missing, each (n,).

    Returns:
        Codes from 0 up, equal where all fields are equal; -1 where one of them is missing, (n,).
    """
    joint = codes[0]
    for other in codes[1:]:
        joint = _pair_codes(joint, other)
    return joint


@njit(nogil=True, cache=True)
def _pair_codes(one: IntArray, other: IntArray) -> IntArray:
    slots = 1
    while slots < 2 * one.size:
        slots *= 2
    row_of = np.full(slots, -1)
    codes = np.full(one.size, MISSING)
    count = 0
    for row in range(one.size):
        if one[row] < 0 or other[row] < 0:
            continue
        mixed = np.uint64(one[row]) * _MIXER + np.uint64(other[row])
        slot = np.int64((mixed * _MIXER) >> np.uint64(32)) & (slots - 1)
        while True:
            first = row_of[slot]
            if first < 0:
                row_of[slot] = row
                codes[row] = count
                count += 1
                break
            if one[first] == one[row] and other[first] == other[row]:
                codes[row] = codes[first]
                break
            slot = (slot + 1) & (slots - 1)
    return codes
