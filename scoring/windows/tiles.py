"""Aggregates of the older events of an entity that has many, by intervals of time.

A tile holds what all windows need of the events of one interval. Tiles add up: two of the same
interval, and small ones to a larger one.

A window's start is a multiple of its hop, and hops divide each other. So a tile of length l, which
starts at a multiple of l, is never divided by the start of a window whose hop is l or more. The
other windows are shorter than 30 l, and start at most 31 l before their end. `tile_lengths_us`
therefore gives an event the longest tile that has ended 31 lengths before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.windows.definition import HOPS_IN_WINDOW, HOPS_US
from scoring.windows.events import IntArray
from scoring.windows.exact_sums import limb_span, limbs_of_groups

NO_TILE = 0
"""Length of the tile of an event that is too recent for one."""
_FAR = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Tiles:
    """Aggregates of t tiles, for c conditions and g combinations of a number and a condition.

    Attributes:
        start_us: first time of each tile in microseconds since 1970, (t,).
        length_us: length of each tile in microseconds, (t,).
        counts: number of events, (t, c).
        first_us: earliest time of an event, the largest int64 without one, (t, c).
        last_us: latest time of an event, the smallest int64 without one, (t, c).
        value_counts: number of values, (t, g).
        highest: largest value, -inf without one, (t, g).
        lowest: smallest value, inf without one, (t, g).
        first_limb: lowest limb of the sums.
        sums: limbs of the exact sums, (t, g, l).
        squares: limbs of the exact sums of squares, (t, g, 2 l).
    """

    start_us: IntArray
    length_us: IntArray
    counts: IntArray
    first_us: IntArray
    last_us: IntArray
    value_counts: IntArray
    highest: FloatArray
    lowest: FloatArray
    first_limb: int
    sums: IntArray
    squares: IntArray

    def __len__(self) -> int:
        return self.start_us.size

    @property
    def end_us(self) -> IntArray:
        """First time after each tile, (t,)."""
        return self.start_us + self.length_us

    def selected(self, rows: NDArray[np.bool_]) -> Tiles:
        """Return some of the tiles."""
        return Tiles(
            **{name: getattr(self, name)[rows] for name in TILE_ARRAYS}, first_limb=self.first_limb
        )

    def with_limbs(self, first: int, limb_count: int) -> Tiles:
        """Return the same tiles with limbs from `first` on, which include all that they use."""
        if (first, limb_count) == (self.first_limb, self.sums.shape[2]):
            return self
        if not self.squares.any():
            tiles, groups, _ = self.sums.shape
            changed = {name: getattr(self, name) for name in TILE_ARRAYS}
            changed["sums"] = np.zeros((tiles, groups, limb_count), np.int64)
            changed["squares"] = np.zeros((tiles, groups, 2 * limb_count), np.int64)
            return Tiles(**changed, first_limb=first)
        before = self.first_limb - first
        after = limb_count - before - self.sums.shape[2]
        changed = {name: getattr(self, name) for name in TILE_ARRAYS}
        changed["sums"] = np.pad(self.sums, ((0, 0), (0, 0), (before, after)))
        changed["squares"] = np.pad(self.squares, ((0, 0), (0, 0), (2 * before, 2 * after)))
        return Tiles(**changed, first_limb=first)

    def added_up(self, start_us: IntArray, length_us: IntArray) -> Tiles:
        """Return tiles of other intervals, each with all that belongs to it.

        Args:
            start_us: start of the interval that takes each tile, (t,).
            length_us: length of that interval, (t,).
        """
        intervals = np.stack([start_us, length_us], axis=1)
        distinct, into = np.unique(intervals, axis=0, return_inverse=True)
        into = into.reshape(-1)
        made = empty_tiles(
            distinct.shape[0], self.counts.shape[1], self.sums.shape[1], self.sums.shape[2]
        )
        for name in ("counts", "value_counts", "sums", "squares"):
            np.add.at(getattr(made, name), into, getattr(self, name))
        np.minimum.at(made.first_us, into, self.first_us)
        np.maximum.at(made.last_us, into, self.last_us)
        np.maximum.at(made.highest, into, self.highest)
        np.minimum.at(made.lowest, into, self.lowest)
        made.start_us[:], made.length_us[:] = distinct[:, 0], distinct[:, 1]
        return Tiles(
            **{name: getattr(made, name) for name in TILE_ARRAYS}, first_limb=self.first_limb
        )


TILE_ARRAYS = tuple(name for name in Tiles.__slots__ if name != "first_limb")


def empty_tiles(tiles: int, conditions: int, groups: int, limbs: int) -> Tiles:
    """Return tiles without events, at time 0."""
    return Tiles(
        start_us=np.zeros(tiles, np.int64),
        length_us=np.zeros(tiles, np.int64),
        counts=np.zeros((tiles, conditions), np.int64),
        first_us=np.full((tiles, conditions), _FAR),
        last_us=np.full((tiles, conditions), -_FAR - 1),
        value_counts=np.zeros((tiles, groups), np.int64),
        highest=np.full((tiles, groups), -np.inf),
        lowest=np.full((tiles, groups), np.inf),
        first_limb=0,
        sums=np.zeros((tiles, groups, limbs), np.int64),
        squares=np.zeros((tiles, groups, 2 * limbs), np.int64),
    )


def tile_lengths_us(time_us: IntArray, horizon_us: int) -> IntArray:
    """Return the length of the tile that takes each event, NO_TILE where it is too recent.

    Args:
        time_us: times in microseconds since 1970, (m,).
        horizon_us: earliest end of a window that will be read.
    """
    lengths = np.full(time_us.size, NO_TILE, np.int64)
    for hop in HOPS_US:
        end_us = time_us // hop * hop + hop
        lengths[end_us <= horizon_us - (HOPS_IN_WINDOW + 1) * hop] = hop
    return lengths


def tiles_of_events(
    time_us: IntArray, length_us: IntArray, meets: NDArray[np.bool_], numbers: FloatArray
) -> Tiles:
    """Return one tile for each event.

    Args:
        time_us: times in microseconds since 1970, (m,).
        length_us: length of each event's tile, (m,).
        meets: whether each event meets each condition; column 0 is True, (m, c).
        numbers: values, NaN or infinite where missing, (m, v).
    """
    conditions = meets.shape[1]
    values = np.repeat(numbers, conditions, axis=1) + 0.0  # -0.0 becomes 0.0
    enters = np.isfinite(values) & np.tile(meets, (1, numbers.shape[1]))
    zeroed = np.where(enters, values, 0.0)
    first, limb_count = limb_span(zeroed.ravel())
    groups = np.arange(zeroed.size)
    sums, squares = limbs_of_groups(
        zeroed.ravel().view(np.int64), groups, zeroed.size, first, limb_count
    )
    return Tiles(
        start_us=time_us // length_us * length_us,
        length_us=length_us,
        counts=meets.astype(np.int64),
        first_us=np.where(meets, time_us[:, None], _FAR),
        last_us=np.where(meets, time_us[:, None], -_FAR - 1),
        value_counts=enters.astype(np.int64),
        highest=np.where(enters, values, -np.inf),
        lowest=np.where(enters, values, np.inf),
        first_limb=first,
        sums=sums.reshape(*zeroed.shape, limb_count),
        squares=squares.reshape(*zeroed.shape, 2 * limb_count),
    )


def joined_tiles(one: Tiles, other: Tiles) -> Tiles:
    """Return the tiles of both, with one tile for each interval."""
    used = [tiles for tiles in (one, other) if tiles.squares.any()] or [one]
    first = min(tiles.first_limb for tiles in used)
    end = max(tiles.first_limb + tiles.sums.shape[2] for tiles in used)
    one, other = one.with_limbs(first, end - first), other.with_limbs(first, end - first)
    both = Tiles(
        **{n: np.concatenate([getattr(one, n), getattr(other, n)]) for n in TILE_ARRAYS},
        first_limb=first,
    )
    return both.added_up(both.start_us, both.length_us)
