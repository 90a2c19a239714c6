"""Structures from which an aggregate of any range of positions is read in short time.

They are made of the m past events of an entity, by key and time, and never change. Positions are
divided into blocks: what is kept of whole blocks is added, and the events at the edges of a range
are read one by one.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.windows.events import BoolArray, IntArray

Positions = NDArray[np.int32]
BLOCK = 64
SORTED_BLOCK = 1024
"""Positions of a block of `previous_positions` that is sorted: the fewer there are, the more blocks
are searched."""


@njit(nogil=True, cache=True)
def entering_blocks(enters: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return what is known of the entering events at the start of each block.

    Args:
        enters: whether each event enters, (conditions, m).

    Returns:
        Number of entering events before each block; position of the last one before it, -1 where
        there is none; position of the first one from it on, m where there is none. Each is
        (conditions, m // BLOCK + 1).
    """
    blocks = enters.shape[1] // BLOCK + 1
    before = np.zeros((enters.shape[0], blocks), np.int64)
    last = np.full((enters.shape[0], blocks), -1)
    first = np.full((enters.shape[0], blocks), enters.shape[1])
    for row in range(enters.shape[0]):
        count = 0
        latest = -1
        for position in range(enters.shape[1]):
            if position % BLOCK == 0:
                before[row, position // BLOCK] = count
                last[row, position // BLOCK] = latest
            if enters[row, position]:
                count += 1
                latest = position
        if enters.shape[1] % BLOCK == 0:
            before[row, blocks - 1] = count
            last[row, blocks - 1] = latest
        earliest = enters.shape[1]
        for position in range(enters.shape[1] - 1, -1, -1):
            if enters[row, position]:
                earliest = position
            if position % BLOCK == 0:
                first[row, position // BLOCK] = earliest
    return before, last, first


@njit(nogil=True, cache=True)
def block_maxima(values: FloatArray, enters: BoolArray, sign: float) -> FloatArray:
    """Return the largest value of 2^i whole blocks from each one on: a sparse table.

    Bender and Farach-Colton, "The LCA problem revisited" (2000).

    Args:
        values: values, (m,).
        enters: whether each event enters, (m,).
        sign: 1.0; -1.0 turns values around, so that the smallest is kept.

    Returns:
        Row i is of 2^i blocks, -inf where none enters, (levels, m // BLOCK).
    """
    blocks = values.size // BLOCK
    levels = 1
    while 1 << levels <= blocks:
        levels += 1
    table = np.full((levels, blocks), -np.inf)
    for position in range(blocks * BLOCK):
        if enters[position]:
            block = position // BLOCK
            table[0, block] = max(table[0, block], sign * values[position])
    for level in range(1, levels):
        half = 1 << (level - 1)
        for block in range(blocks - 2 * half + 1):
            table[level, block] = max(table[level - 1, block], table[level - 1, block + half])
    return table


@njit(nogil=True, cache=True)
def previous_positions(
    codes: IntArray, enters: BoolArray, start: IntArray, code_count: int
) -> Positions:
    """Return the position of the entering event before each one with the same key and code.

    A range that begins at `low` has as many distinct codes as it has events whose previous position
    is below `low`.

    Args:
        codes: code of each event, 0 <= code < `code_count` where it enters, (m,).
        enters: whether each event enters, (m,).
        start: first position of each key, and m at the end.
        code_count: number of codes.

    Returns:
        Positions, -1 where there is none, and m where an event does not enter, (m,).
    """
    previous = np.full(codes.size, codes.size, np.int32)
    last = np.full(code_count, -1, np.int32)
    for key in range(start.size - 1):
        for position in range(start[key], start[key + 1]):
            if enters[position]:
                latest = last[codes[position]]
                previous[position] = latest if latest >= start[key] else -1
                last[codes[position]] = position
    return previous


def sorted_blocks(previous: Positions) -> Positions:
    """Return the whole blocks of SORTED_BLOCK positions, each sorted, (blocks, SORTED_BLOCK)."""
    blocks = previous.size // SORTED_BLOCK
    return np.sort(previous[: blocks * SORTED_BLOCK].reshape(blocks, SORTED_BLOCK), axis=1)


def occurrences(codes: IntArray, enters: BoolArray, code_count: int) -> tuple[Positions, IntArray]:
    """Return the positions of the entering events by code, and the first place of each code."""
    entering = np.flatnonzero(enters)
    order = np.argsort(codes[entering], kind="stable")
    positions = entering[order].astype(np.int32)
    counts = np.bincount(codes[entering], minlength=code_count)
    return positions, np.concatenate([[0], np.cumsum(counts)])
