"""When past events became known as frauds, found by their ids."""

from __future__ import annotations

import numpy as np
from numba import njit

from scoring.windows.events import IntArray

NEVER_US = np.iinfo(np.int64).max
"""Time at which an event became known as a fraud that did not."""
_FRAUD = np.dtype([("id", ">i8", (2,)), ("known_us", ">i8")])
FRAUD_BYTES = _FRAUD.itemsize


def known_times(ids: IntArray, frauds: bytes) -> IntArray:
    """Return when each event became known as a fraud, NEVER_US where it did not.

    Args:
        ids: halves of each event's id, (m, 2).
        frauds: frauds as `scoring.windows.records.EntityPast` has them.

    Returns:
        Microseconds since 1970, (m,).
    """
    if not frauds:
        return np.full(ids.shape[0], NEVER_US)
    return _known_times(ids, *read_frauds(frauds))


def read_frauds(frauds: bytes) -> tuple[IntArray, IntArray]:
    """Return the halves of each fraud's id, (f, 2), and when it became known, (f,).

    Args:
        frauds: frauds as `scoring.windows.records.EntityPast` has them.
    """
    given = np.frombuffer(frauds, _FRAUD)
    return given["id"].astype(np.int64), given["known_us"].astype(np.int64)


@njit(nogil=True, cache=True)
def rows_of_ids(wanted: IntArray, ids: IntArray, by_id: IntArray) -> IntArray:
    """Return the row of each wanted id, -1 where there is none, (f,).

    Args:
        wanted: halves of ids, (f, 2).
        ids: halves of distinct ids, (m, 2).
        by_id: rows of `ids` in the order of the second half and then the first, (m,).
    """
    rows = np.full(wanted.shape[0], -1)
    for i in range(wanted.shape[0]):
        low, high = 0, by_id.size
        while low < high:
            middle = (low + high) // 2
            row = by_id[middle]
            if ids[row, 1] < wanted[i, 1] or (
                ids[row, 1] == wanted[i, 1] and ids[row, 0] < wanted[i, 0]
            ):
                low = middle + 1
            else:
                high = middle
        if low < by_id.size:
            row = by_id[low]
            if ids[row, 0] == wanted[i, 0] and ids[row, 1] == wanted[i, 1]:
                rows[i] = row
    return rows


@njit(nogil=True, cache=True)
def _known_times(ids: IntArray, fraud_ids: IntArray, fraud_known_us: IntArray) -> IntArray:
    known_us = np.full(ids.shape[0], NEVER_US)
    slots = 1
    while slots < 4 * fraud_ids.shape[0]:
        slots *= 2
    table = np.full(slots, -1)
    for fraud in range(fraud_ids.shape[0]):
        slot = _id_slot(fraud_ids, fraud, slots)
        while table[slot] >= 0:
            slot = (slot + 1) & (slots - 1)
        table[slot] = fraud
    for event in range(ids.shape[0]):
        slot = _id_slot(ids, event, slots)
        while table[slot] >= 0:
            fraud = table[slot]
            if fraud_ids[fraud, 0] == ids[event, 0] and fraud_ids[fraud, 1] == ids[event, 1]:
                known_us[event] = fraud_known_us[fraud]
            slot = (slot + 1) & (slots - 1)
    return known_us


@njit(nogil=True, cache=True, inline="always")
def _id_slot(ids: IntArray, row: int, slots: int) -> np.int64:
    """Return the slot of an id, of which the last bits are random."""
    return np.int64((ids[row, 1] ^ ids[row, 0]) & (slots - 1))
