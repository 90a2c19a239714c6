"""Aggregates that slide over ranges of positions, each in one pass.

Every function takes the `Ranges` of `scoring.windows.ranges`, whose fields are single arguments,
and `enters`, whether each of the m events enters a window at all: it meets the condition and has a
value. They return float64, one value for each of the k readers.

Where the events arrived in order of time, each one enters and leaves an aggregate once. Elsewhere
each event's range is read from its start, which takes time in proportion to its length.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from scoring.columns import FloatArray
from scoring.windows.events import BoolArray, IntArray

_US = 1e6


@njit(nogil=True, cache=True)
def counts(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    enters: BoolArray,
) -> FloatArray:
    """Return the number of events in each range."""
    out = np.empty(low.size)
    for entity in range(reader_start.size - 1):
        count = 0
        a = b = low[reader_start[entity]]
        for i in range(reader_start[entity], reader_start[entity + 1]):
            if not is_sorted[entity]:
                a = b = low[i]
                count = 0
            while b < high[i]:
                if enters[b] and arrival[b] < reader_arrival[i]:
                    count += 1
                b += 1
            while a < low[i]:
                if enters[a]:
                    count -= 1
                a += 1
            out[i] = count
    return out


@njit(nogil=True, cache=True)
def distinct_counts(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    enters: BoolArray,
    codes: IntArray,
    code_count: int,
) -> FloatArray:
    """Return the number of distinct codes in each range.

    Args:
        low, high, reader_start, reader_arrival, is_sorted, arrival, enters: as above.
        codes: code of each event's value, 0 <= code < `code_count` where it enters, (m,).
        code_count: number of codes.
    """
    out = np.empty(low.size)
    occurrences = np.zeros(code_count, np.int64)
    seen_by = np.full(code_count, -1, np.int64)
    for entity in range(reader_start.size - 1):
        count = 0
        a = b = low[reader_start[entity]]
        for i in range(reader_start[entity], reader_start[entity + 1]):
            if not is_sorted[entity]:
                count = 0
                for j in range(low[i], high[i]):
                    if enters[j] and arrival[j] < reader_arrival[i] and seen_by[codes[j]] != i:
                        seen_by[codes[j]] = i
                        count += 1
                out[i] = count
                continue
            while b < high[i]:
                if enters[b]:
                    count += occurrences[codes[b]] == 0
                    occurrences[codes[b]] += 1
                b += 1
            while a < low[i]:
                if enters[a]:
                    occurrences[codes[a]] -= 1
                    count -= occurrences[codes[a]] == 0
                a += 1
            out[i] = count
        for j in range(a, b):
            if enters[j]:
                occurrences[codes[j]] = 0
    return out


@njit(nogil=True, cache=True)
def maxima(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    enters: BoolArray,
    values: FloatArray,
) -> FloatArray:
    """Return the largest value in each range, NaN where it is empty.

    `falling` holds the positions whose value is larger than every later one (Lemire 2006,
    "Streaming maximum-minimum filter").
    """
    out = np.empty(low.size)
    falling = np.empty(arrival.size, np.int64)
    for entity in range(reader_start.size - 1):
        first = last = 0
        b = low[reader_start[entity]]
        for i in range(reader_start[entity], reader_start[entity + 1]):
            if not is_sorted[entity]:
                first = last = 0
                b = low[i]
            while b < high[i]:
                if enters[b] and arrival[b] < reader_arrival[i]:
                    while last > first and values[falling[last - 1]] <= values[b]:
                        last -= 1
                    falling[last] = b
                    last += 1
                b += 1
            while first < last and falling[first] < low[i]:
                first += 1
            out[i] = values[falling[first]] if first < last else np.nan
    return out


@njit(nogil=True, cache=True)
def seconds_since(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    enters: BoolArray,
    time_us: IntArray,
    reader_time_us: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the seconds since the first and the last event in each range, NaN where it is empty.

    Args:
        low, high, reader_start, reader_arrival, is_sorted, arrival, enters: as above.
        time_us: time of each event in microseconds, (m,).
        reader_time_us: time of each reader in microseconds, (k,).
    """
    since_first = np.empty(low.size)
    since_last = np.empty(low.size)
    for entity in range(reader_start.size - 1):
        a = b = low[reader_start[entity]]
        last = -1
        for i in range(reader_start[entity], reader_start[entity + 1]):
            if not is_sorted[entity]:
                a = b = low[i]
                last = -1
            while b < high[i]:
                if enters[b] and arrival[b] < reader_arrival[i]:
                    last = b
                b += 1
            a = max(a, low[i])
            if last < a:
                since_first[i] = since_last[i] = np.nan
                continue
            while not (enters[a] and arrival[a] < reader_arrival[i]):
                a += 1
            since_first[i] = (reader_time_us[i] - time_us[a]) / _US
            since_last[i] = (reader_time_us[i] - time_us[last]) / _US
    return since_first, since_last


@njit(nogil=True, cache=True)
def fraud_shares(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    enters: BoolArray,
    reader_time_us: IntArray,
    known_us: IntArray,
    frauds: IntArray,
    fraud_start: IntArray,
) -> FloatArray:
    """Return the share of events in each range that were known as frauds at the event's time.

    Args:
        low, high, reader_start, reader_arrival, is_sorted, arrival, enters: as above.
        reader_time_us: time of each reader in microseconds, (k,).
        known_us: time at which each fraud became known, in microseconds, (m,).
        frauds: positions of the frauds that enter windows, by entity and `known_us`.
        fraud_start: first of `frauds` of each entity, and their number at the end.

    Returns:
        Shares, NaN where a range is empty, (k,).
    """
    out = np.full(low.size, np.nan)
    counted = np.zeros(arrival.size, np.bool_)
    is_fraud = np.zeros(arrival.size, np.bool_)
    is_fraud[frauds] = True
    for entity in range(reader_start.size - 1):
        next_known = fraud_start[entity]
        count = known = 0
        a = b = low[reader_start[entity]]
        for i in range(reader_start[entity], reader_start[entity + 1]):
            if not is_sorted[entity]:
                count = known = 0
                for j in range(low[i], high[i]):
                    if enters[j] and arrival[j] < reader_arrival[i]:
                        count += 1
                        known += is_fraud[j] and known_us[j] <= reader_time_us[i]
                if count:
                    out[i] = known / count
                continue
            while b < high[i]:
                count += enters[b]
                if is_fraud[b] and known_us[b] <= reader_time_us[i]:
                    counted[b] = True
                    known += 1
                b += 1
            while a < low[i]:
                count -= enters[a]
                known -= counted[a]
                a += 1
            # Frauds that were in the range before they became known.
            while next_known < fraud_start[entity + 1]:
                j = frauds[next_known]
                if known_us[j] > reader_time_us[i]:
                    break
                if a <= j < b and not counted[j]:
                    counted[j] = True
                    known += 1
                next_known += 1
            if count:
                out[i] = known / count
    return out
