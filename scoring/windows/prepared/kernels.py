"""Aggregates of prepared past events and of the events after them.

A window of a reader is a range of the prepared events (`past_low` and `past_high`, (ranges, k)) and
a range of the single ones. The first arguments are those of `scoring.windows.kernels`, of the
single events; they are read one by one, so they are few. The next arguments are of the prepared
ones. All functions return float64, (w, k), with the bits that those of `scoring.windows.kernels`
would return of all events together.

Numba recompiles a function only if its own file changes, so the helpers stay in this file.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from scoring.columns import FloatArray
from scoring.windows.events import BoolArray, IntArray
from scoring.windows.structures import BLOCK, SORTED_BLOCK, Positions

_US = 1e6


@njit(nogil=True, cache=True)
def past_bounds(
    time_us: IntArray,
    start: IntArray,
    keys: IntArray,
    reader_time_us: IntArray,
    lengths_us: IntArray,
    delays_us: IntArray,
    hops_us: IntArray,
) -> tuple[IntArray, IntArray]:
    """Return the range of prepared events in each reader's window, for several windows.

    Args:
        time_us: times in microseconds, by key and time, (m,).
        start: first position of each key, and m at the end.
        keys: key of each reader, negative where it has no prepared events, (k,).
        reader_time_us: times of the readers, (k,).
        lengths_us, delays_us, hops_us: as in `scoring.windows.ranges.window_bounds`.

    Returns:
        First position, and first position after the last, both (ranges, k).
    """
    low = np.zeros((lengths_us.size, keys.size), np.int64)
    high = np.zeros((lengths_us.size, keys.size), np.int64)
    for r in range(keys.size):
        if keys[r] < 0:
            continue
        first, last = start[keys[r]], start[keys[r] + 1]
        own = time_us[first:last]
        for w in range(lengths_us.size):
            end = reader_time_us[r] - delays_us[w]
            begin = (end - lengths_us[w]) // hops_us[w] * hops_us[w]
            high[w, r] = first + np.searchsorted(own, end)
            low[w, r] = min(first + np.searchsorted(own, begin), high[w, r])
    return low, high


@njit(nogil=True, cache=True, inline="always")
def _count(enters: BoolArray, entering_before: IntArray, low: np.int64, high: np.int64) -> np.int64:
    """Return the number of entering events in a range."""
    count = entering_before[high // BLOCK] - entering_before[low // BLOCK]
    for position in range(low // BLOCK * BLOCK, low):
        count -= enters[position]
    for position in range(high // BLOCK * BLOCK, high):
        count += enters[position]
    return np.int64(count)


@njit(nogil=True, cache=True)
def counts_after(
    low: IntArray,
    high: IntArray,
    reader_arrival: IntArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    past_low: IntArray,
    past_high: IntArray,
    past_enters: BoolArray,
    entering_before: IntArray,
) -> FloatArray:
    """Return the number of events in each range.

    Args:
        low, high, reader_arrival, arrival, range_of, enters, enters_of: as above.
        past_low, past_high: ranges of the prepared events.
        past_enters: whether each prepared event enters, (conditions, m).
        entering_before: number of entering events before each block, (conditions, blocks).
    """
    out = np.empty((range_of.size, reader_arrival.size))
    for w in range(range_of.size):
        e, r = enters_of[w], range_of[w]
        for i in range(reader_arrival.size):
            count = _count(past_enters[e], entering_before[e], past_low[r, i], past_high[r, i])
            for j in range(low[r, i], high[r, i]):
                count += enters[e, j] and arrival[j] < reader_arrival[i]
            out[w, i] = count
    return out


@njit(nogil=True, cache=True)
def maxima_after(
    low: IntArray,
    high: IntArray,
    reader_arrival: IntArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    values: FloatArray,
    values_of: IntArray,
    signs: FloatArray,
    past_low: IntArray,
    past_high: IntArray,
    past_enters: BoolArray,
    past_values: FloatArray,
    tables: FloatArray,
    table_of: IntArray,
) -> FloatArray:
    """Return the largest value in each range, or the smallest, NaN where it is empty.

    Args:
        low, high, reader_arrival, arrival, range_of, enters, enters_of: as above.
        values, values_of, signs: as in `scoring.windows.kernels.maxima`.
        past_low, past_high, past_enters: as above.
        past_values: value of each prepared event, (v, m).
        tables: what `scoring.windows.structures.block_maxima` returns, (t, levels, blocks).
        table_of: row of `tables` of each window, (w,).
    """
    out = np.empty((range_of.size, reader_arrival.size))
    for w in range(range_of.size):
        e, r, v, sign = enters_of[w], range_of[w], values_of[w], signs[w]
        table = tables[table_of[w]]
        for i in range(reader_arrival.size):
            best = -np.inf
            begin, end = past_low[r, i], past_high[r, i]
            first, last = (begin + BLOCK - 1) // BLOCK, end // BLOCK
            if first < last:
                level = 0
                while 2 << level <= last - first:
                    level += 1
                best = max(table[level, first], table[level, last - (1 << level)])
            for j in range(begin, min(end, first * BLOCK)):
                if past_enters[e, j]:
                    best = max(best, sign * past_values[v, j])
            for j in range(max(begin, last * BLOCK, min(end, first * BLOCK)), end):
                if past_enters[e, j]:
                    best = max(best, sign * past_values[v, j])
            for j in range(low[r, i], high[r, i]):
                if enters[e, j] and arrival[j] < reader_arrival[i]:
                    best = max(best, sign * values[v, j])
            out[w, i] = sign * best if best > -np.inf else np.nan
    return out


@njit(nogil=True, cache=True)
def seconds_since_after(
    low: IntArray,
    high: IntArray,
    reader_arrival: IntArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    time_us: IntArray,
    reader_time_us: IntArray,
    of_first: BoolArray,
    past_low: IntArray,
    past_high: IntArray,
    past_enters: BoolArray,
    past_time_us: IntArray,
    last_before: IntArray,
    first_from: IntArray,
) -> FloatArray:
    """Return the seconds since the last event in each range, or the first, NaN where it is empty.

    Args:
        low, high, reader_arrival, arrival, range_of, enters, enters_of: as above.
        time_us, reader_time_us, of_first: as in `scoring.windows.kernels.seconds_since`.
        past_low, past_high, past_enters: as above.
        past_time_us: time of each prepared event in microseconds, (m,).
        last_before, first_from: of `scoring.windows.structures.entering_blocks`.
    """
    out = np.full((range_of.size, reader_arrival.size), np.nan)
    for w in range(range_of.size):
        e, r = enters_of[w], range_of[w]
        for i in range(reader_arrival.size):
            begin, end = past_low[r, i], past_high[r, i]
            found = False
            at_us = np.int64(0)
            if begin < end:
                if of_first[w]:
                    position = begin
                    while position < end and not past_enters[e, position]:
                        if position % BLOCK == 0:
                            position = first_from[e, position // BLOCK]
                            break
                        position += 1
                    found = position < end
                else:
                    position = end - 1
                    while position >= begin and not past_enters[e, position]:
                        if position % BLOCK == 0:
                            position = last_before[e, position // BLOCK]
                            break
                        position -= 1
                    found = position >= begin
                if found:
                    at_us = past_time_us[position]
            for j in range(low[r, i], high[r, i]):
                if enters[e, j] and arrival[j] < reader_arrival[i]:
                    if not found:
                        at_us = time_us[j]
                    elif of_first[w]:
                        at_us = min(at_us, time_us[j])
                    else:
                        at_us = max(at_us, time_us[j])
                    found = True
            if found:
                out[w, i] = (reader_time_us[i] - at_us) / _US
    return out


@njit(nogil=True, cache=True)
def fraud_shares_after(
    low: IntArray,
    high: IntArray,
    reader_arrival: IntArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    reader_time_us: IntArray,
    is_fraud: BoolArray,
    known_us: IntArray,
    past_low: IntArray,
    past_high: IntArray,
    past_enters: BoolArray,
    entering_before: IntArray,
    frauds: IntArray,
    fraud_known_us: IntArray,
) -> FloatArray:
    """Return the share of events in each range that were known as frauds at the event's time.

    Args:
        low, high, reader_arrival, arrival, range_of, enters, enters_of: as above.
        reader_time_us, is_fraud, known_us: as in `scoring.windows.kernels.fraud_shares`.
        past_low, past_high, past_enters, entering_before: as above.
        frauds: positions of the prepared events that are known as frauds, ascending, (f,).
        fraud_known_us: time at which each of them became known, in microseconds, (f,).
    """
    out = np.full((range_of.size, reader_arrival.size), np.nan)
    for w in range(range_of.size):
        e, r = enters_of[w], range_of[w]
        for i in range(reader_arrival.size):
            begin, end = past_low[r, i], past_high[r, i]
            count = _count(past_enters[e], entering_before[e], begin, end)
            known = 0
            fraud = np.searchsorted(frauds, begin)
            while fraud < frauds.size and frauds[fraud] < end:
                if past_enters[e, frauds[fraud]] and fraud_known_us[fraud] <= reader_time_us[i]:
                    known += 1
                fraud += 1
            for j in range(low[r, i], high[r, i]):
                if enters[e, j] and arrival[j] < reader_arrival[i]:
                    count += 1
                    known += is_fraud[j] and known_us[j] <= reader_time_us[i]
            if count:
                out[w, i] = known / count
    return out


@njit(nogil=True, cache=True)
def distinct_counts_after(
    low: IntArray,
    high: IntArray,
    reader_arrival: IntArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    codes: IntArray,
    past_code: IntArray,
    past_low: IntArray,
    past_high: IntArray,
    previous: Positions,
    sorted_previous: Positions,
    occurrences: Positions,
    code_start: IntArray,
) -> FloatArray:
    """Return the number of distinct codes in each range, for windows of one value and condition.

    Args:
        low, high, reader_arrival, arrival, range_of, enters, enters_of: as above.
        codes: code of each single event's value, (m,).
        past_code: code that prepared events have for each of them, -1 where none, (codes,).
        past_low, past_high: as above.
        previous, sorted_previous, occurrences, code_start: of
            `scoring.windows.structures`, of the value and the condition.
    """
    out = np.empty((range_of.size, reader_arrival.size))
    seen_by = np.empty(past_code.size, np.int64)
    for w in range(range_of.size):
        e, r = enters_of[w], range_of[w]
        seen_by[:] = -1
        for i in range(reader_arrival.size):
            begin, end = past_low[r, i], past_high[r, i]
            first = (begin + SORTED_BLOCK - 1) // SORTED_BLOCK
            last = end // SORTED_BLOCK
            count = 0
            for block in range(first, last):
                count += np.searchsorted(sorted_previous[block], begin)
            edge = min(end, first * SORTED_BLOCK)
            for j in range(begin, edge):
                count += previous[j] < begin
            for j in range(max(edge, last * SORTED_BLOCK), end):
                count += previous[j] < begin
            for j in range(low[r, i], high[r, i]):
                if not enters[e, j] or arrival[j] >= reader_arrival[i] or seen_by[codes[j]] == i:
                    continue
                seen_by[codes[j]] = i
                code = past_code[codes[j]]
                is_in_past = False
                if code >= 0:
                    own = occurrences[code_start[code] : code_start[code + 1]]
                    place = np.searchsorted(own, begin)
                    is_in_past = place < own.size and own[place] < end
                count += not is_in_past
            out[w, i] = count
    return out
