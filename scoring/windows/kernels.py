"""Aggregates that slide over ranges of positions, each in one pass.

Every function computes several windows of one kind of entity in one call, since a call from Python
takes as long as a window of a hundred events. It takes the `Ranges` of `scoring.windows.ranges`,
whose fields are single arguments, and for each of its w windows the row of `low` and `high`
(`range_of`) and the row of `enters` (`enters_of`), both (w,). `enters` says whether each of the m
events enters a window at all: it meets the condition and has a value, (conditions, m). They return
float64, one value for each window and each of the k readers, (w, k).

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
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
) -> FloatArray:
    """Return the number of events in each range."""
    out = np.empty((range_of.size, reader_arrival.size))
    for w in range(range_of.size):
        begin, end, inside = low[range_of[w]], high[range_of[w]], enters[enters_of[w]]
        for entity in range(reader_start.size - 1):
            count = 0
            a = b = begin[reader_start[entity]]
            for i in range(reader_start[entity], reader_start[entity + 1]):
                if not is_sorted[entity]:
                    a = b = begin[i]
                    count = 0
                while b < end[i]:
                    if inside[b] and arrival[b] < reader_arrival[i]:
                        count += 1
                    b += 1
                while a < begin[i]:
                    if inside[a]:
                        count -= 1
                    a += 1
                out[w, i] = count
    return out


@njit(nogil=True, cache=True)
def distinct_counts(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    codes: IntArray,
    codes_of: IntArray,
    code_count: int,
) -> FloatArray:
    """Return the number of distinct codes in each range.

    Args:
        low, high, reader_start, reader_arrival, is_sorted, arrival, range_of, enters, enters_of:
            as above.
        codes: code of each event's value, 0 <= code < `code_count` where it enters, (v, m).
        codes_of: row of `codes` of each window, (w,).
        code_count: number of codes of the row with most.
    """
    out = np.empty((range_of.size, reader_arrival.size))
    occurrences = np.zeros(code_count, np.int64)
    for w in range(range_of.size):
        begin, end, inside = low[range_of[w]], high[range_of[w]], enters[enters_of[w]]
        code = codes[codes_of[w]]
        seen_by = np.full(code_count, -1, np.int64)
        for entity in range(reader_start.size - 1):
            count = 0
            a = b = begin[reader_start[entity]]
            for i in range(reader_start[entity], reader_start[entity + 1]):
                if not is_sorted[entity]:
                    count = 0
                    for j in range(begin[i], end[i]):
                        if inside[j] and arrival[j] < reader_arrival[i] and seen_by[code[j]] != i:
                            seen_by[code[j]] = i
                            count += 1
                    out[w, i] = count
                    continue
                while b < end[i]:
                    if inside[b]:
                        count += occurrences[code[b]] == 0
                        occurrences[code[b]] += 1
                    b += 1
                while a < begin[i]:
                    if inside[a]:
                        occurrences[code[a]] -= 1
                        count -= occurrences[code[a]] == 0
                    a += 1
                out[w, i] = count
            for j in range(a, b):
                if inside[j]:
                    occurrences[code[j]] = 0
    return out


@njit(nogil=True, cache=True)
def maxima(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    values: FloatArray,
    values_of: IntArray,
    signs: FloatArray,
) -> FloatArray:
    """Return the largest value in each range, or the smallest, NaN where it is empty.

    `falling` holds the positions whose value is larger than every later one (Lemire 2006,
    "Streaming maximum-minimum filter").

    Args:
        low, high, reader_start, reader_arrival, is_sorted, arrival, range_of, enters, enters_of:
            as above.
        values: value of each event, (v, m).
        values_of: row of `values` of each window, (w,).
        signs: 1.0 for the largest value of a window, -1.0 for the smallest, (w,).
    """
    out = np.empty((range_of.size, reader_arrival.size))
    falling = np.empty(arrival.size, np.int64)
    for w in range(range_of.size):
        begin, end, inside = low[range_of[w]], high[range_of[w]], enters[enters_of[w]]
        value, sign = values[values_of[w]], signs[w]
        for entity in range(reader_start.size - 1):
            first = last = 0
            b = begin[reader_start[entity]]
            for i in range(reader_start[entity], reader_start[entity + 1]):
                if not is_sorted[entity]:
                    first = last = 0
                    b = begin[i]
                while b < end[i]:
                    if inside[b] and arrival[b] < reader_arrival[i]:
                        while last > first and sign * value[falling[last - 1]] <= sign * value[b]:
                            last -= 1
                        falling[last] = b
                        last += 1
                    b += 1
                while first < last and falling[first] < begin[i]:
                    first += 1
                out[w, i] = value[falling[first]] if first < last else np.nan
    return out


@njit(nogil=True, cache=True)
def seconds_since(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    time_us: IntArray,
    reader_time_us: IntArray,
    of_first: BoolArray,
) -> FloatArray:
    """Return the seconds since the last event in each range, or the first, NaN where it is empty.

    Args:
        low, high, reader_start, reader_arrival, is_sorted, arrival, range_of, enters, enters_of:
            as above.
        time_us: time of each event in microseconds, (m,).
        reader_time_us: time of each reader in microseconds, (k,).
        of_first: whether a window takes its first event, (w,).
    """
    out = np.empty((range_of.size, reader_arrival.size))
    for w in range(range_of.size):
        begin, end, inside = low[range_of[w]], high[range_of[w]], enters[enters_of[w]]
        for entity in range(reader_start.size - 1):
            a = b = begin[reader_start[entity]]
            last = -1
            for i in range(reader_start[entity], reader_start[entity + 1]):
                if not is_sorted[entity]:
                    a = b = begin[i]
                    last = -1
                while b < end[i]:
                    if inside[b] and arrival[b] < reader_arrival[i]:
                        last = b
                    b += 1
                a = max(a, begin[i])
                if last < a:
                    out[w, i] = np.nan
                    continue
                while not (inside[a] and arrival[a] < reader_arrival[i]):
                    a += 1
                out[w, i] = (reader_time_us[i] - time_us[a if of_first[w] else last]) / _US
    return out


@njit(nogil=True, cache=True)
def fraud_shares(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    reader_time_us: IntArray,
    is_fraud: BoolArray,
    known_us: IntArray,
    frauds: IntArray,
    fraud_start: IntArray,
) -> FloatArray:
    """Return the share of events in each range that were known as frauds at the event's time.

    Args:
        low, high, reader_start, reader_arrival, is_sorted, arrival, range_of, enters, enters_of:
            as above.
        reader_time_us: time of each reader in microseconds, (k,).
        is_fraud: whether each event is a fraud, (m,).
        known_us: time at which each fraud became known, in microseconds, (m,).
        frauds: positions of the frauds, by entity and `known_us`.
        fraud_start: first of `frauds` of each entity, and their number at the end.

    Returns:
        Shares, NaN where a range is empty, (w, k).
    """
    out = np.full((range_of.size, reader_arrival.size), np.nan)
    for w in range(range_of.size):
        begin, end, inside = low[range_of[w]], high[range_of[w]], enters[enters_of[w]]
        counted = np.zeros(arrival.size, np.bool_)
        for entity in range(reader_start.size - 1):
            next_known = fraud_start[entity]
            count = known = 0
            a = b = begin[reader_start[entity]]
            for i in range(reader_start[entity], reader_start[entity + 1]):
                if not is_sorted[entity]:
                    count = known = 0
                    for j in range(begin[i], end[i]):
                        if inside[j] and arrival[j] < reader_arrival[i]:
                            count += 1
                            known += is_fraud[j] and known_us[j] <= reader_time_us[i]
                    if count:
                        out[w, i] = known / count
                    continue
                while b < end[i]:
                    count += inside[b]
                    if inside[b] and is_fraud[b] and known_us[b] <= reader_time_us[i]:
                        counted[b] = True
                        known += 1
                    b += 1
                while a < begin[i]:
                    count -= inside[a]
                    known -= counted[a]
                    a += 1
                # Frauds that were in the range before they became known.
                while next_known < fraud_start[entity + 1]:
                    j = frauds[next_known]
                    if known_us[j] > reader_time_us[i]:
                        break
                    if inside[j] and a <= j < b and not counted[j]:
                        counted[j] = True
                        known += 1
                    next_known += 1
                if count:
                    out[w, i] = known / count
    return out
