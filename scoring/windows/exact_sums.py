"""Correctly rounded sums, means and standard deviations that slide over ranges of positions.

A sum is kept as a fixed-point number with all bits of every value, in limbs of 32 bits (Neal 2015,
"Fast exact summation using small and large superaccumulators", arXiv:1505.05571). Adding and
removing are exact, so a sum depends only on the values in the range, and is rounded once, where it
is read: to the float64 that `math.fsum` returns. The sum of squares is kept likewise.

A limb is an int64 that every value changes by less than 2^34 (a square, by less than 2^34 too), so
a range may have 2^29 values before a limb overflows.

Numba recompiles a function only if its own file changes, so the helpers stay in this file.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.windows.events import BoolArray, IntArray
from scoring.windows.structures import BLOCK

UintArray = NDArray[np.uint64]

LIMB_BITS = 32
_MASK = 0xFFFFFFFF
_MAGNITUDE = 0x7FFFFFFFFFFFFFFF
"""Bits of a float64 without its sign."""
_LOWEST_BIT = -1074
"""Exponent of the smallest float64."""
_SIGNIFICAND_BITS = 53
_CARRY_LIMBS = 2
"""Limbs above the largest value, for the sum of 2^29 of them and its sign."""

_inlined = njit(nogil=True, cache=True, inline="always")


@njit(nogil=True, cache=True)
def limb_span(bits: IntArray) -> tuple[int, int]:
    """Return the limbs that sums of these values use.

    Args:
        bits: bits of finite values, (m,).

    Returns:
        Number of the lowest limb, where limb 0 begins at the bit 2^-1074, and number of limbs.
    """
    smallest, largest = 0x7FF, -1
    for i in range(bits.size):
        if bits[i] & _MAGNITUDE:
            exponent = (bits[i] >> 52) & 0x7FF
            smallest, largest = min(smallest, exponent), max(largest, exponent)
    if largest < 0:
        return 0, 1
    # The lowest bit of a significand is that of its exponent; a subnormal number has the exponent
    # of the smallest normal one.
    first = max(smallest - 1, 0) // LIMB_BITS
    highest_bit = max(largest - 1, 0) + _SIGNIFICAND_BITS
    return first, highest_bit // LIMB_BITS + 1 - first + _CARRY_LIMBS


@_inlined
def _split(bits: np.int64) -> tuple[int, np.int64, np.int64]:
    """Return the sign, the significand and the position of its lowest bit above 2^-1074."""
    exponent = (bits >> 52) & 0x7FF
    significand = bits & 0xFFFFFFFFFFFFF
    if exponent:
        significand |= 1 << 52
        exponent -= 1
    return (1 if bits >= 0 else -1), significand, exponent


@_inlined
def _add(limbs: IntArray, first: int, bits: np.int64, sign: int) -> None:
    """Add a float64, given as its bits, times `sign` to a sum."""
    own_sign, significand, position = _split(bits)
    if significand == 0:
        return
    sign *= own_sign
    at = (position >> 5) - first
    low = (significand & _MASK) << (position & 31)
    high = (significand >> 32) << (position & 31)
    limbs[at] += sign * (low & _MASK)
    limbs[at + 1] += sign * ((low >> 32) + (high & _MASK))
    limbs[at + 2] += sign * (high >> 32)


@_inlined
def _add_square(limbs: IntArray, first: int, bits: np.int64, sign: int) -> None:
    """Add the square of a float64, given as its bits, times `sign` to a sum of squares.

    Limb 0 of a sum of squares begins at the bit 2^-2148.
    """
    _, significand, position = _split(bits)
    if significand == 0:
        return
    at = (position >> 4) - 2 * first
    shift = np.uint64((2 * position) & 31)
    low = np.uint64(significand & _MASK)
    high = np.uint64(significand >> 32)
    mask = np.uint64(_MASK)
    half = np.uint64(32)
    # low^2 + 2 low high 2^32 + high^2 2^64, as digits of 32 bits before the shift.
    product = low * low
    digit_0 = product & mask
    product = (product >> half) + ((np.uint64(2) * low * high) & mask)
    digit_1 = product & mask
    product = (product >> half) + ((np.uint64(2) * low * high) >> half) + high * high
    digit_2 = product & mask
    digit_3 = product >> half
    digit_0 <<= shift
    digit_1 <<= shift
    digit_2 <<= shift
    digit_3 <<= shift
    limbs[at] += sign * np.int64(digit_0 & mask)
    limbs[at + 1] += sign * np.int64((digit_0 >> half) + (digit_1 & mask))
    limbs[at + 2] += sign * np.int64((digit_1 >> half) + (digit_2 & mask))
    limbs[at + 3] += sign * np.int64((digit_2 >> half) + (digit_3 & mask))
    if digit_3 >> half:
        limbs[at + 4] += sign * np.int64(digit_3 >> half)


@_inlined
def _normalise(limbs: IntArray, digits: UintArray) -> int:
    """Write the magnitude of a sum as digits of 32 bits; return its sign."""
    size = limbs.size
    carry = np.int64(0)
    for k in range(size):
        total = limbs[k] + carry
        digits[k] = np.uint64(total & _MASK)
        carry = total >> 32
    if carry >= 0:
        return 1
    borrow = np.int64(0)
    for k in range(size):
        total = borrow - np.int64(digits[k])
        digits[k] = np.uint64(total & _MASK)
        borrow = total >> 32
    return -1


@_inlined
def _leading(digits: UintArray) -> tuple[float, int]:
    """Return the leading 53 bits of a number, correctly rounded, and their exponent.

    Args:
        digits: magnitude in digits of 32 bits, lowest first.

    Returns:
        An integer below 2^53 + 1 as float64, and the position of its lowest bit.
    """
    top = digits.size - 1
    while top >= 0 and digits[top] == 0:
        top -= 1
    if top < 0:
        return 0.0, 0
    width = 0
    while digits[top] >> np.uint64(width):
        width += 1
    # The top digit and the next two, shifted so that 64 bits remain, and whether any bit is lost.
    head = digits[top] << np.uint64(64 - width)
    is_inexact = False
    if top >= 1:
        head |= digits[top - 1] << np.uint64(32 - width)
    if top >= 2:
        head |= digits[top - 2] >> np.uint64(width)
        is_inexact = (digits[top - 2] & ((np.uint64(1) << np.uint64(width)) - np.uint64(1))) != 0
    for k in range(top - 2):
        is_inexact |= digits[k] != 0
    significand = head >> np.uint64(11)
    rest = head & np.uint64(0x7FF)
    if rest > 0x400 or (rest == 0x400 and (is_inexact or significand & np.uint64(1))):
        significand += np.uint64(1)
    return float(significand), top * 32 + width - _SIGNIFICAND_BITS


@_inlined
def _rounded_sum(limbs: IntArray, digits: UintArray, first: int) -> float:
    sign = _normalise(limbs, digits)
    leading, position = _leading(digits)
    return sign * math.ldexp(leading, position + first * 32 + _LOWEST_BIT)


@_inlined
def _deviation(
    sums: IntArray, squares: IntArray, count: int, first: int, digits: UintArray, work: UintArray
) -> float:
    """Return sqrt(d) / n with d = n * sum of squares - square of the sum, rounded to 53 bits."""
    mask = np.uint64(_MASK)
    half = np.uint64(32)
    _normalise(squares, work)
    carry = np.uint64(0)
    for k in range(work.size):
        total = work[k] * np.uint64(count) + carry
        work[k] = total & mask
        carry = total >> half
    used = sums.size
    _normalise(sums, digits)
    while used > 0 and digits[used - 1] == 0:
        used -= 1
    for i in range(used):
        carry = np.uint64(0)
        borrow = np.int64(0)
        k = i
        while k < work.size and (k < i + used or carry != 0 or borrow != 0):
            product = carry
            if k < i + used:
                product += digits[i] * digits[k - i]
            carry = product >> half
            total = np.int64(work[k]) - np.int64(product & mask) + borrow
            work[k] = np.uint64(total & _MASK)
            borrow = total >> 32
            k += 1
    leading, position = _leading(work)
    exponent = position + first * 64 + 2 * _LOWEST_BIT
    if exponent & 1:
        leading *= 2.0
        exponent -= 1
    return math.ldexp(math.sqrt(leading) / count, exponent >> 1)


@njit(nogil=True, cache=True)
def sums_and_deviations(
    low: IntArray,
    high: IntArray,
    reader_start: IntArray,
    reader_arrival: IntArray,
    is_sorted: BoolArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    bits: IntArray,
    bits_of: IntArray,
    deviates: BoolArray,
) -> FloatArray:
    """Return the sums, the means and the standard deviations of the values in each range.

    Args:
        low, high, reader_start, reader_arrival, is_sorted, arrival, range_of, enters, enters_of:
            as in `scoring.windows.kernels`.
        bits: bits of each value, 0 where it is not finite, (v, m).
        bits_of: row of `bits` of each window, (w,).
        deviates: whether the standard deviations of a window are computed; else they are 0, (w,).

    Returns:
        Sums, 0 where a range is empty, infinite beyond the range of float64; means, sum / count,
        and population standard deviations, NaN where a range is empty; (3, w, k).
    """
    out = np.zeros((3, range_of.size, reader_arrival.size))
    spans = [limb_span(bits[v]) for v in range(bits.shape[0])]
    for w in range(range_of.size):
        begin, end, inside = low[range_of[w]], high[range_of[w]], enters[enters_of[w]]
        value = bits[bits_of[w]]
        first, limb_count = spans[bits_of[w]]
        sums = np.zeros(limb_count, np.int64)
        digits = np.zeros(limb_count, np.uint64)
        squares = np.zeros(2 * limb_count, np.int64)
        work = np.zeros(2 * limb_count, np.uint64)
        for entity in range(reader_start.size - 1):
            count = 0
            sums[:] = 0
            squares[:] = 0
            a = b = begin[reader_start[entity]]
            for i in range(reader_start[entity], reader_start[entity + 1]):
                if not is_sorted[entity]:
                    count = 0
                    sums[:] = 0
                    squares[:] = 0
                    a = b = begin[i]
                while b < end[i]:
                    if inside[b] and arrival[b] < reader_arrival[i]:
                        count += 1
                        _add(sums, first, value[b], 1)
                        if deviates[w]:
                            _add_square(squares, first, value[b], 1)
                    b += 1
                while a < begin[i]:
                    if inside[a]:
                        count -= 1
                        _add(sums, first, value[a], -1)
                        if deviates[w]:
                            _add_square(squares, first, value[a], -1)
                    a += 1
                if count:
                    out[0, w, i] = _rounded_sum(sums, digits, first)
                    out[1, w, i] = out[0, w, i] / count
                    if deviates[w]:
                        out[2, w, i] = _deviation(sums, squares, count, first, digits, work)
                else:
                    out[1, w, i] = out[2, w, i] = np.nan
    return out


@njit(nogil=True, cache=True)
def sums_before(
    bits: IntArray, enters: BoolArray, first: int, limb_count: int
) -> tuple[IntArray, IntArray]:
    """Return the sum, and the sum of squares, of the entering values before each block.

    Args:
        bits: bits of each value, (m,).
        enters: whether each value enters, (m,).
        first: number of the lowest limb of the values.
        limb_count: number of their limbs.

    Returns:
        Limbs, (m // BLOCK + 1, limb_count) and (m // BLOCK + 1, 2 limb_count).
    """
    blocks = bits.size // BLOCK + 1
    sums_of = np.zeros((blocks, limb_count), np.int64)
    squares_of = np.zeros((blocks, 2 * limb_count), np.int64)
    sums = np.zeros(limb_count, np.int64)
    squares = np.zeros(2 * limb_count, np.int64)
    for position in range(bits.size):
        if enters[position]:
            _add(sums, first, bits[position], 1)
            _add_square(squares, first, bits[position], 1)
        if (position + 1) % BLOCK == 0:
            sums_of[(position + 1) // BLOCK] = sums
            squares_of[(position + 1) // BLOCK] = squares
    return sums_of, squares_of


@njit(nogil=True, cache=True)
def sums_and_deviations_after(
    low: IntArray,
    high: IntArray,
    reader_arrival: IntArray,
    arrival: IntArray,
    range_of: IntArray,
    enters: BoolArray,
    enters_of: IntArray,
    bits: IntArray,
    deviates: BoolArray,
    past_low: IntArray,
    past_high: IntArray,
    past_enters: BoolArray,
    entering_before: IntArray,
    past_bits: IntArray,
    past_first: int,
    past_sums: IntArray,
    past_squares: IntArray,
    sums_of: IntArray,
) -> FloatArray:
    """Return the sums, means and deviations of prepared and single events, of one value.

    Args:
        low, high, reader_arrival, arrival, range_of, enters, enters_of: as in
            `scoring.windows.prepared.kernels`.
        bits: bits of each single event's value, (m,).
        deviates: whether the standard deviations of a window are computed; else they are 0, (w,).
        past_low, past_high, past_enters, entering_before: as in
            `scoring.windows.prepared.kernels`.
        past_bits: bits of each prepared event's value.
        past_first: number of the lowest limb of the prepared values.
        past_sums, past_squares: what `sums_before` returns of them, a row for each condition.
        sums_of: row of them of each window, (w,).

    Returns:
        As `sums_and_deviations`, (3, w, k).
    """
    out = np.zeros((3, range_of.size, reader_arrival.size))
    used = past_sums.shape[2]
    first, limb_count = limb_span(bits)
    if limb_count > 1:
        top = max(first + limb_count, past_first + used)
        first = min(first, past_first)
        limb_count = top - first
    else:
        first, limb_count = past_first, used
    at = past_first - first
    sums = np.zeros(limb_count, np.int64)
    digits = np.zeros(limb_count, np.uint64)
    squares = np.zeros(2 * limb_count, np.int64)
    work = np.zeros(2 * limb_count, np.uint64)
    for w in range(range_of.size):
        e, r, s = enters_of[w], range_of[w], sums_of[w]
        for i in range(reader_arrival.size):
            begin, end = past_low[r, i], past_high[r, i]
            count = entering_before[e, end // BLOCK] - entering_before[e, begin // BLOCK]
            sums[:] = 0
            sums[at : at + used] = past_sums[s, end // BLOCK] - past_sums[s, begin // BLOCK]
            if deviates[w]:
                squares[:] = 0
                squares[2 * at : 2 * (at + used)] = (
                    past_squares[s, end // BLOCK] - past_squares[s, begin // BLOCK]
                )
            for j in range(begin // BLOCK * BLOCK, begin):
                if past_enters[e, j]:
                    count -= 1
                    _add(sums, first, past_bits[j], -1)
                    if deviates[w]:
                        _add_square(squares, first, past_bits[j], -1)
            for j in range(end // BLOCK * BLOCK, end):
                if past_enters[e, j]:
                    count += 1
                    _add(sums, first, past_bits[j], 1)
                    if deviates[w]:
                        _add_square(squares, first, past_bits[j], 1)
            for j in range(low[r, i], high[r, i]):
                if enters[e, j] and arrival[j] < reader_arrival[i]:
                    count += 1
                    _add(sums, first, bits[j], 1)
                    if deviates[w]:
                        _add_square(squares, first, bits[j], 1)
            if count:
                out[0, w, i] = _rounded_sum(sums, digits, first)
                out[1, w, i] = out[0, w, i] / count
                if deviates[w]:
                    out[2, w, i] = _deviation(sums, squares, count, first, digits, work)
            else:
                out[1, w, i] = out[2, w, i] = np.nan
    return out
